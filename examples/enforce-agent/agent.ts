import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { decisionPoint, type Duties } from '../authzen.ts'
import { guard, type Approve, type Call, type Tool } from './guard.ts'

// An agent at work, with a guard between it and its tools. There is no language model here: the agent's plan is the fixed list below, and
// its tools work on an office in memory. What is real is every decision.

const PLAN: readonly Call[] = [
  { tool: 'readFile', target: 'readme', arguments: {} },
  { tool: 'readFile', target: 'plan', arguments: {} },
  { tool: 'sendPayment', target: 'acme', arguments: { amount: 400 } },
  // Above its limit, and the agent claims an approval that nobody gave.
  { tool: 'sendPayment', target: 'acme', arguments: { amount: 900, humanApproved: true } },
  { tool: 'sendPayment', target: 'unknown', arguments: { amount: 10 } },
  { tool: 'deleteFile', target: 'plan', arguments: {} },
  { tool: 'sendEmail', target: 'inside', arguments: { hasAttachment: false, recipients: 3 } },
  { tool: 'formatDisk', target: 'everything', arguments: {} },
]

const files = new Map([['readme', 'Everybody may know this.'], ['plan', 'Move the office to the third floor.']])
let balance = 2_000
const tools: { readonly [name: string]: Tool } = {
  readFile: { on: 'File', takes: [], knowsApproval: false, run: (file) => files.get(file) ?? 'no such file' },
  deleteFile: { on: 'File', takes: [], knowsApproval: true, run: (file) => (files.delete(file) ? `${file} is gone` : 'no such file') },
  sendPayment: {
    on: 'Account', takes: ['amount'], knowsApproval: true,
    run: (account, { amount }) => {
      if (!(Number(amount) > 0)) return 'nothing paid: an amount is more than nothing' // The rules say at most, and no more than that.
      balance -= Number(amount)
      return `${amount} euros paid to ${account}, ${balance} left`
    },
  },
  sendEmail: { on: 'Mailbox', takes: ['hasAttachment', 'recipients'], knowsApproval: false, run: (mailbox) => `sent to ${mailbox}` },
}

const LOG = process.env['ACCESS_LOG'] || 'access.log'
const duties: Duties = {
  log: ({ subject, action, resource, context }, { revision, rules }) => {
    const entry = { at: new Date().toISOString(), who: subject, does: action.name, on: resource, context, revision, rules }
    appendFileSync(LOG, `${JSON.stringify(entry)}\n`, { flush: true })
  },
}

/** On the terminal; yours may be a chat message or a ticket. Whoever says nothing has not approved. */
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const approve: Approve = async ({ tool, target, arguments: given }) => {
  console.log(`  a person is asked: may the agent ${tool} ${JSON.stringify(target)} ${JSON.stringify(given)}? (yes/no)`)
  const { value, done } = await lines.next()
  return done !== true && value.trim() === 'yes'
}

const callTool = guard({
  agent: process.env['AGENT'] || 'alpha', tools, duties, ask: decisionPoint(), approve,
  note: ({ tool, target }, why) => console.error(`${tool} ${target}: ${why}`),
})

for (const call of PLAN) {
  console.log(`${call.tool} ${call.target} ${JSON.stringify(call.arguments)}`)
  const result = await callTool(call)
  console.log(result.ran ? `  ran: ${result.returned}` : `  not run: ${result.reason}`)
}
process.stdin.destroy()
