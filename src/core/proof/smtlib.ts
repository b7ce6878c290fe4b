import { Failure } from '#core/failure.ts'
import { partsOf, postorder, symbolKey, type Sort, type Term, type Value } from './terms.ts'

/** A question in SMT-LIB: declarations and assertions, to be followed by `(check-sat)`; and what to ask a model for. */
export type Script = {
  readonly text: string
  /** The free terms, their arguments and the literals, in the order in which `values` names them: every fact there is in a model. */
  readonly asked: readonly Term[]
  readonly values: readonly string[]
}

/**
 * Emits assertions. Strings, entities and values with parts are of uninterpreted sorts with distinct literals, truths are Bool and integers Int, so that
 * the script is of the logic of uninterpreted functions and integer arithmetic.
 *
 * @see SMT-LIB 2.6
 */
export function emit(assertions: readonly Term[]): Script {
  const all = postorder(assertions)
  const sorts = new Map<Sort, string>()
  const names = new Map<string, string>()
  const lines: string[] = []
  const sortName = (sort: Sort): string => {
    if (sort === 'bool') return 'Bool'
    if (sort === 'int') return 'Int'
    const known = sorts.get(sort)
    if (known !== undefined) return known
    const made = `S${sorts.size}`
    sorts.set(sort, made)
    lines.push(`(declare-sort ${made} 0)`)
    return made
  }
  const declare = (key: string, args: readonly Sort[], result: Sort): string => {
    const known = names.get(key)
    if (known !== undefined) return known
    const made = `f${names.size}`
    names.set(key, made)
    lines.push(`(declare-fun ${made} (${args.map(sortName).join(' ')}) ${sortName(result)})`)
    return made
  }

  const uses = new Map<Term, number>()
  for (const term of all) for (const part of partsOf(term)) uses.set(part, (uses.get(part) ?? 0) + 1)
  const args = all.flatMap((term) => (term.kind === 'app' ? term.args : []))
  const isArgument = new Set(args.filter(({ kind }) => kind !== 'bool' && kind !== 'int'))
  const texts = new Map<Term, string>()
  const asked: Term[] = []
  const values: string[] = []
  const literals = new Map<Sort, string[]>()
  for (const term of all) {
    const of = (part: Term): string => texts.get(part) as string
    const text = write(term, of, declare)
    const isNamed = (uses.get(term) ?? 0) > 1 && partsOf(term).length > 0
    if (isNamed) lines.push(`(define-fun t${term.id} () ${sortName(term.sort)} ${text})`)
    texts.set(term, isNamed ? `t${term.id}` : text)
    if (term.kind === 'app' || term.kind === 'var' || term.kind === 'literal' || isArgument.has(term)) {
      asked.push(term)
      values.push(of(term))
    }
    if (term.kind === 'literal') literals.set(term.sort, [...(literals.get(term.sort) ?? []), text])
  }
  for (const each of literals.values()) if (each.length > 1) lines.push(`(assert (distinct ${each.join(' ')}))`)
  for (const assertion of assertions) lines.push(`(assert ${texts.get(assertion) as string})`)
  return { text: `${lines.join('\n')}\n`, asked, values }
}

function write(term: Term, of: (part: Term) => string, declare: (key: string, args: readonly Sort[], result: Sort) => string): string {
  switch (term.kind) {
    case 'bool': return String(term.value)
    case 'int': return term.value < 0n ? `(- ${-term.value})` : String(term.value)
    case 'literal': return declare(`literal ${term.sort} ${term.value}`, [], term.sort)
    case 'var': return declare(`variable ${term.sort} ${term.name}`, [], term.sort)
    case 'app': {
      const name = declare(`function ${symbolKey(term.symbol)}`, term.args.map(({ sort }) => sort), term.sort)
      return term.args.length === 0 ? name : `(${name} ${term.args.map(of).join(' ')})`
    }
    case 'not': return `(not ${of(term.of)})`
    case 'neg': return `(- ${of(term.of)})`
    case 'and': case 'or': return `(${term.kind} ${term.parts.map(of).join(' ')})`
    case 'ite': return `(ite ${of(term.condition)} ${of(term.then)} ${of(term.else)})`
    case 'eq': return `(= ${of(term.left)} ${of(term.right)})`
    case 'le': return `(<= ${of(term.left)} ${of(term.right)})`
    case 'add': return `(+ ${of(term.left)} ${of(term.right)})`
    case 'sub': return `(- ${of(term.left)} ${of(term.right)})`
    case 'mul': return `(* ${of(term.left)} ${of(term.right)})`
    case 'div': return `(div ${of(term.left)} ${of(term.right)})`
    case 'bound': case 'exists': case 'record': case 'set': throw new Error(`a ${term.kind} reached the solver: ground it first`)
  }
}

/**
 * Reads the reply to `(get-value …)`: what each asked term denotes in the model, elements of uninterpreted sorts by the solver's
 * own names.
 *
 * @throws {Failure} `SOLVER_FAILED` when the reply does not answer every term in order.
 */
export function readValues(reply: string, script: Script): ReadonlyMap<Term, Value> {
  if (script.asked.length === 0) return new Map()
  const pairs = parse(reply)
  const answers = new Map<Term, Value>()
  if (!Array.isArray(pairs) || pairs.length !== script.asked.length) throw unreadable(reply)
  script.asked.forEach((term, i) => {
    const pair = pairs[i] as Sexp
    if (!Array.isArray(pair) || pair.length !== 2) throw unreadable(reply)
    answers.set(term, readValue(pair[1] as Sexp, term.sort, reply))
  })
  return answers
}

function readValue(sexp: Sexp, sort: Sort, reply: string): Value {
  if (sort === 'bool' && (sexp === 'true' || sexp === 'false')) return sexp === 'true'
  if (sort === 'int') {
    if (typeof sexp === 'string' && /^\d+$/.test(sexp)) return BigInt(sexp)
    const [minus, digits] = Array.isArray(sexp) && sexp.length === 2 ? sexp : []
    if (minus === '-' && typeof digits === 'string' && /^\d+$/.test(digits)) return -BigInt(digits)
  }
  if (sort !== 'bool' && sort !== 'int' && typeof sexp === 'string') return sexp
  throw unreadable(reply)
}

type Sexp = string | readonly Sexp[]

function parse(text: string): Sexp {
  const tokens = text.match(/[()]|\|[^|]*\||[^\s()]+/g) ?? []
  const stack: Sexp[][] = [[]]
  for (const token of tokens) {
    if (token === '(') stack.push([])
    else if (token !== ')') stack.at(-1)?.push(token)
    else {
      const done = stack.pop()
      if (done === undefined || stack.length === 0) throw unreadable(text)
      stack.at(-1)?.push(done)
    }
  }
  const [top] = stack
  if (stack.length !== 1 || top?.length !== 1) throw unreadable(text)
  return top[0] as Sexp
}

function unreadable(reply: string): Failure {
  return new Failure('SOLVER_FAILED', `the solver's model could not be read: \`${reply.slice(0, 200)}\``)
}

/** What to ask of a solver: a script's text, and the terms whose values a model shall give (none: only the verdict). */
export type Ask = { readonly text: string; readonly values: readonly string[] }

/** What a solver said, word for word: to the script, to `(check-sat)`, and then to `(get-info :reason-unknown)` or `(get-value …)`. */
export type RawReply = { readonly script: string; readonly verdict: string; readonly rest: string }

export type Reply =
  | { readonly kind: 'unsat' }
  | { readonly kind: 'sat'; readonly values: string }
  | { readonly kind: 'unknown'; readonly reason: string }

/**
 * Reads what a solver said. Only a script taken without a word and then exactly `unsat` or `sat` is an answer: a solver that
 * complains about a script and answers all the same has answered another question.
 *
 * @see SMT-LIB 2.6, section 4.2.5
 */
export function readReply({ script, verdict, rest }: RawReply): Reply {
  const said = (text: string) => text.trim().slice(0, 200)
  if (script.trim() !== '') return { kind: 'unknown', reason: `solver failed: it answered \`${said(script)}\` to the script` }
  switch (verdict.trim()) {
    case 'unsat': return { kind: 'unsat' }
    case 'sat': return { kind: 'sat', values: rest }
    case 'unknown':
      if (/canceled|resource/.test(rest)) return { kind: 'unknown', reason: 'timeout: the solver used up its resource limit' }
      return { kind: 'unknown', reason: `solver gave up: ${said(rest)}` }
    default: return { kind: 'unknown', reason: `solver failed: unrecognized reply \`${said(verdict)}\`` }
  }
}
