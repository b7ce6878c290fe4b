import { digest } from '#core/canonical.ts'
import { Failure } from '#core/failure.ts'
import type { Environment } from '#core/policy/schema.ts'
import { concretize, toCounterexample, type Picture } from './counterexample.ts'
import { ground, simplify } from './ground.ts'
import { lookWith, type Replay } from './look.ts'
import type { Answer, Basis, Counterexample, Limits, Proof } from './proof.ts'
import { checkRup } from './sat/check-rup.ts'
import { markOf, type CertificateMark, type SatAnswer } from './sat/decide.ts'
import { shrink } from './shrink.ts'
import { emit, readValues, type Ask, type Reply, type Script } from './smtlib.ts'
import type { Claim, Question, Study } from './study.ts'
import { evaluate, type Term, type Value } from './terms.ts'
import { worldOf } from './world.ts'

/** Asks a solver: one reply for each script, in order, each under the limits for itself. */
export type Solve = (asks: readonly Ask[], limits: Limits) => Promise<readonly Reply[]>

/** What the prover asks of the world. */
export type Engines = {
  readonly solve: Solve
  readonly replay: Replay
  /**
   * Our own engine over the same terms, asked before the solver. A model of it needs no solver, since Cedar judges the counterexample. What it
   * contradicts is proved only when its certificate is checked and the solver says so too, unless `agreement` says that either suffices.
   */
  readonly sat?: (assertions: readonly Term[]) => SatAnswer
  /** Names and versions of the solver and of Cedar, for the record. */
  readonly versions: readonly { readonly name: string; readonly version: string }[]
  /** Told of every question as a script, before anybody is asked; of one that folded to a contradiction, as it was before. */
  readonly onScript?: (asked: { readonly question: string; readonly environment: Environment; readonly text: string }) => void
  /** Told whenever two of the engines disagree, Cedar among them: a bug of ours, and never an answer. */
  readonly onDisagreement?: (report: Disagreement) => void
  /** Lets others have their turn, before each question about an environment; without it nobody waits. */
  readonly turn?: () => Promise<void>
}

export type Disagreement = {
  readonly question: string
  readonly environment: Environment
  readonly what: string
  /** What one of them says refutes the claim; null where they disagree before there is a request. */
  readonly counterexample: Counterexample | null
}

type Model = ReadonlyMap<Term, Value>

/** What shows that a claim holds: nothing but folding, a certificate, or the solver's word. */
type Shown = 'folded' | 'solver' | CertificateMark
type Settled = { readonly answer: Answer; /** Null unless it is proved. */ readonly by: Shown | null }

/** A claim that folding has not settled: it goes to the solver, unless there is a model already. */
type Open = {
  readonly question: Question
  readonly environment: Environment
  readonly claim: Claim
  readonly goal: Term
} & ({ readonly script: Script; /** That the other engine contradicts it. */ readonly certificate: CertificateMark | null } | { readonly model: Model })

/** Answers questions, each in all of its environments, in the order of the questions. */
export async function settle(study: Study, questions: readonly Question[], engines: Engines): Promise<readonly Proof[]> {
  const prepared: (Settled | Open)[][] = []
  for (const question of questions) {
    const made: (Settled | Open)[] = []
    for (const environment of question.environments) {
      await engines.turn?.()
      made.push(prepare(study, question, environment, engines))
    }
    prepared.push(made)
  }
  const open = prepared.flat().filter((each) => 'script' in each)
  // Names in a script say nothing about their environment, so that many environments ask the same.
  const asks = [...new Map(open.map(({ script: { text, values } }) => [text, { text, values }])).values()]
  const replies = asks.length === 0 ? [] : await engines.solve(asks, study.limits)
  const mute: Reply = { kind: 'unknown', reason: 'solver failed: it did not reply' }
  const replyTo = new Map(asks.map(({ text }, i) => [text, replies[i] ?? mute]))
  return Promise.all(questions.map(async (question, i) => {
    const settled: Settled[] = []
    for (const each of prepared[i] ?? []) {
      const isShown = !settled.some(({ answer: { kind } }) => kind === 'refuted')
      if ('script' in each) {
        const said = await bySolver(study, each, replyTo.get(each.script.text) as Reply, engines, isShown)
        settled.push({ answer: said, by: said.kind === 'proved' ? each.certificate ?? 'solver' : null })
      } else settled.push('model' in each ? { answer: refutation(study, each, each.model, engines, isShown), by: null } : each)
    }
    return proofOf(study, question, settled, engines)
  }))
}

function prepare(study: Study, question: Question, environment: Environment, engines: Engines): Settled | Open {
  const { sat, onScript } = engines
  try {
    const claim = question.claim(environment)
    const { terms } = study.place(environment)
    const goal = simplify(terms, claim.goal)
    if (goal === terms.false) {
      onScript?.({ question: question.name, environment, text: unfolded(study, question, environment) })
      return { answer: { kind: 'proved' }, by: 'folded' }
    }
    // INVARIANT: only `unsat` and `false` prove; a goal that folds to `true` still goes to the solver, for its counterexample.
    const assertions = ground(terms, study.schema, goal)
    onScript?.({ question: question.name, environment, text: emit(assertions).text })
    const known = sat?.(assertions)
    if (known?.kind === 'sat') return { question, environment, claim, goal, model: known.values }
    const found = known?.kind === 'unsat' ? known.certificate : null
    if (found !== null && !checkRup(found.cnf, found.proof)) return { answer: disagreement(engines, { question, environment }, 'the certificate of a contradiction does not hold'), by: null }
    const certificate = found === null ? null : markOf(found)
    if (certificate !== null && study.agreement === 'either') return { answer: { kind: 'proved' }, by: certificate }
    return { question, environment, claim, goal, script: emit(assertions), certificate }
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'UNSUPPORTED_CONSTRUCT') throw error
    return { answer: { kind: 'unknown', reason: `unsupported: ${error.message}` }, by: null }
  }
}

/** A claim that folding settled, as a script that leaves that to whoever reads it. Where it grows too large to be written, what it folded to. */
function unfolded(study: Study, question: Question, environment: Environment): string {
  return study.unfolded(() => {
    try {
      const { goal } = question.claim(environment)
      return emit(ground(study.place(environment).terms, study.schema, goal)).text
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== 'UNSUPPORTED_CONSTRUCT') throw error
      return `; folded: ${error.message.replace(/[\r\n]+/g, ' ')}\n(assert false)\n`
    }
  })
}

/**
 * What the solver's reply amounts to.
 *
 * @param isShown The first refutation of a question is the one that is shown: it is asked for in a context of its own, so that it
 *   depends on nothing else, made small, and replayed through Cedar. Those of further environments add nothing to the answer; the
 *   interpreter confirms them.
 */
async function bySolver(study: Study, open: Extract<Open, { script: Script }>, first: Reply, engines: Engines, isShown: boolean): Promise<Answer> {
  if (first.kind === 'unsat') return { kind: 'proved' }
  const again = isShown || first.kind === 'unknown'
  const [reply = first] = again ? await engines.solve([{ text: open.script.text, values: open.script.values }], study.limits) : [first]
  switch (reply.kind) {
    case 'unsat': return first.kind === 'sat' ? disagreement(engines, open, 'two runs of the solver answer differently') : { kind: 'proved' }
    case 'unknown': return open.certificate !== null ? { kind: 'unknown', reason: `${reply.reason}; the other engine proves it, and both must` } : reply
    case 'sat': {
      if (open.certificate !== null) return disagreement(engines, open, 'one has a model of what the other contradicts')
      let model: Model
      try {
        model = readValues(reply.values, open.script)
      } catch (error) {
        if (error instanceof Failure && error.code === 'SOLVER_FAILED') return { kind: 'unknown', reason: `solver failed: ${error.message}` }
        throw error
      }
      return refutation(study, open, model, engines, isShown)
    }
  }
}

/** What a model amounts to: the request that refutes the claim, once Cedar decides it so. */
function refutation(study: Study, { question, environment, claim, goal }: Open, model: Model, engines: Engines, isShown: boolean): Answer {
  const { schema } = study
  const literals = study.literals(environment, question.rules, claim.mentions)
  const hasTwoWorlds = [...model.keys()].some((term) => term.kind === 'app' && term.symbol.copy === 1)
  const found = concretize({ schema, environment, model, literals, hasTwoWorlds })
  const holds = ({ first, second }: Picture): boolean => evaluate(goal, worldOf(schema, environment, first, second)) === true
  const report = (what: string, counterexample: Counterexample) => disagreement(engines, { question, environment }, what, counterexample)
  if (!holds(found)) return report('the solver’s model does not satisfy what it was asked', toCounterexample(environment, found))
  if (!isShown) return { kind: 'refuted', counterexample: toCounterexample(environment, found) }
  const counterexample = toCounterexample(environment, shrink(schema, environment, found, literals, holds))
  try {
    if (claim.fails(counterexample, lookWith(study, engines.replay))) return { kind: 'refuted', counterexample }
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return report(`Cedar refuses the counterexample: ${error.message}`, counterexample)
  }
  return report('Cedar does not decide the counterexample as the prover does', counterexample)
}

function disagreement({ onDisagreement }: Engines, { question, environment }: Pick<Open, 'question' | 'environment'>, what: string, counterexample: Counterexample | null = null): Answer {
  onDisagreement?.({ question: question.name, environment, what, counterexample })
  return { kind: 'unknown', reason: `engines disagree, which is a bug of the prover: ${what}` }
}

function proofOf(study: Study, question: Question, settled: readonly Settled[], { versions }: Engines): Proof {
  const answers = settled.map(({ answer }) => answer)
  const refuted = answers.find(({ kind }) => kind === 'refuted')
  const unknown = answers.find(({ kind }) => kind === 'unknown')
  const none: Answer = { kind: 'unknown', reason: 'unsupported: the question concerns no request that the schema allows' }
  return {
    question: question.name,
    answer: refuted ?? unknown ?? answers[0] ?? none,
    environments: question.environments.map((environment, i) => ({ ...environment, answer: (answers[i] as Answer).kind })),
    engines: versions,
    inputDigest: digest({
      question: question.name, ...question.inputs, schema: study.schema.digest, ...study.options, engines: versions,
    }),
    basis: basisOf(settled),
    limits: study.limits,
  }
}

function basisOf(settled: readonly Settled[]): Basis {
  const shown = settled.flatMap(({ by }) => by ?? [])
  const certificates = shown.filter((by) => typeof by === 'object')
  return {
    folded: shown.filter((by) => by === 'folded').length,
    certified: certificates.length,
    solver: shown.filter((by) => by === 'solver').length,
    steps: certificates.reduce((sum, { steps }) => sum + steps, 0),
    certificates: certificates.length === 0 ? null : digest(certificates.map((each) => each.digest)),
  }
}
