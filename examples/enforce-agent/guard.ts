import { enforce, type Ask, type Duties, type Outcome, type Question } from '../authzen.ts'

/** What an agent wants done. It comes from the agent, so nothing in it is believed. */
export type Call = { readonly tool: string; readonly target: string; readonly arguments: { readonly [name: string]: unknown } }

export type Tool = {
  /** The type of what it works on. */
  readonly on: string
  /** The arguments that it takes, which are the schema's context of that action. Any other is dropped: no agent adds `humanApproved`. */
  readonly takes: readonly string[]
  /** Whether the schema's context of this tool has `humanApproved`. */
  readonly knowsApproval: boolean
  readonly run: (target: string, given: Call['arguments']) => string | Promise<string>
}

/** What goes back to the agent: what the tool returned, or why it did not run. */
export type Result = { readonly ran: true; readonly returned: string } | { readonly ran: false; readonly reason: string }

/** Asks a person whether exactly this call may be made. Only `true` is a yes. */
export type Approve = (call: Call) => Promise<boolean>

/**
 * The only way from an agent to its tools: every call is decided before it runs.
 *
 * A call that is denied and would be permitted if a person had approved it is put to a person, and after a yes decided again; that second
 * decision counts. Nobody is asked about a call that approval would not save. The call is copied first, with those arguments only that the
 * tool takes: what was decided and approved is what runs, whatever the agent does to its own object meanwhile.
 */
export function guard({ agent, tools, duties, ask, approve, note }: {
  agent: string; tools: { readonly [name: string]: Tool }; duties: Duties; ask: Ask; approve: Approve
  /** Why a call did not run, for whoever operates the agent. */
  note: (call: Call, why: string) => void
}): (call: Call) => Promise<Result> {
  return async (given) => {
    const copy = copyOf(given)
    if (copy === null) return { ran: false, reason: 'This is no call: it needs a tool, a target and arguments by name.' }
    const tool = Object.hasOwn(tools, copy.tool) ? tools[copy.tool] : undefined
    if (tool === undefined) return { ran: false, reason: `There is no tool \`${copy.tool}\`.` }
    const taken = Object.entries(copy.arguments).filter(([name]) => tool.takes.includes(name))
    const call: Call = { ...copy, arguments: Object.fromEntries(taken) }
    const question = (humanApproved: boolean): Question => ({
      subject: { type: 'Agent', id: agent }, action: { name: call.tool }, resource: { type: tool.on, id: call.target },
      context: { ...call.arguments, ...(tool.knowsApproval ? { humanApproved } : {}) },
    })

    let outcome: Outcome = await enforce(question(false), duties, ask)
    if (outcome.kind === 'denied' && tool.knowsApproval && (await ask(question(true))).kind === 'permitted') {
      if ((await approve(structuredClone(call))) !== true) {
        note(call, 'a person was asked and did not approve')
        return { ran: false, reason: 'A person was asked and did not approve this.' }
      }
      outcome = await enforce(question(true), duties, ask)
    }
    if (outcome.kind !== 'passed') {
      note(call, `${outcome.kind}: ${outcome.forOperators}`)
      return { ran: false, reason: outcome.forPeople }
    }
    return { ran: true, returned: await tool.run(call.target, call.arguments) }
  }
}

/** As JSON has it, which is what the decision point gets: what runs is what was decided. Null when it is no call. */
function copyOf(given: unknown): Call | null {
  try {
    const { tool, target, arguments: named } = JSON.parse(JSON.stringify(given))
    const isNamed = typeof named === 'object' && named !== null && !Array.isArray(named)
    return isNamed && typeof tool === 'string' && typeof target === 'string' ? { tool, target, arguments: named } : null
  } catch {
    return null
  }
}
