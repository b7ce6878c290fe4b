import { createRequire } from 'node:module'
import { parentPort } from 'node:worker_threads'
import type { Ask, RawReply } from '#core/proof/smtlib.ts'

/** Scripts for one fresh context, in order; each answered by its own message, so that a killed worker has answered what it could. */
export type Job = { readonly asks: readonly Ask[]; readonly rlimit: number }
export type FromWorker = { readonly kind: 'ready' } | { readonly kind: 'reply'; readonly reply: RawReply }

/** The part of the binding that is used: Z3's C functions, called synchronously. The asynchronous ones cost 6 ms a call and leak. */
type Module = {
  readonly ccall: (name: string, result: string, types: readonly string[], args: readonly unknown[]) => string
  readonly _Z3_mk_config: () => number
  readonly _Z3_mk_context: (config: number) => number
  readonly _Z3_del_config: (config: number) => void
  readonly _Z3_del_context: (context: number) => void
  readonly _set_noop_error_handler: (context: number) => void
}

const port = parentPort
if (port === null) throw new Error('this module is the body of a worker thread')

// The package's own entry also builds its high-level interface, which is not needed here.
const makeModule = createRequire(import.meta.url)('z3-solver/build/z3-built.js') as () => Promise<Module>
const z3 = await makeModule()

// Making a context and loading its core takes milliseconds: the next one is made while nobody waits.
let next = fresh()

port.on('message', ({ asks, rlimit }: Job) => {
  const context = next
  for (const ask of asks) port.postMessage({ kind: 'reply', reply: answer(context, ask, rlimit) } satisfies FromWorker)
  z3._Z3_del_context(context)
  next = fresh()
})
port.postMessage({ kind: 'ready' } satisfies FromWorker)

/** A context that has been asked nothing. */
function fresh(): number {
  const config = z3._Z3_mk_config()
  const context = z3._Z3_mk_context(config)
  z3._Z3_del_config(config)
  // Z3's own handler ends the program; without one, a mistake comes back as text, which is never taken for an answer.
  z3._set_noop_error_handler(context)
  tell(context, '(push)\n(pop)')
  return context
}

function tell(context: number, text: string): string {
  return z3.ccall('Z3_eval_smtlib2_string', 'string', ['number', 'string'], [context, text])
}

function answer(context: number, { text, values }: Ask, rlimit: number): RawReply {
  // A pushed solver is Z3's incremental core, 2 to 8 times faster on these scripts than its tactics.
  const script = tell(context, `(set-option :rlimit ${rlimit})\n(push)\n${text}`)
  const verdict = tell(context, '(check-sat)')
  const more = verdict.trim() === 'unknown' ? '(get-info :reason-unknown)'
    : verdict.trim() === 'sat' && values.length > 0 ? `(get-value (${values.join(' ')}))`
    : ''
  const rest = more === '' ? '' : tell(context, more)
  tell(context, '(pop)')
  return { script, verdict, rest }
}
