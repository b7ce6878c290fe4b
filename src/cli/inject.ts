import { InvalidArgumentError, Option, type Command } from 'commander'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { loadConstitution, loadDraft } from '#adapters/constitution.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { readConfig } from '#config'
import { standingOf } from '#core/compliance/judge.ts'
import { attributesOf } from '#core/constitution/article.ts'
import { bind } from '#core/constitution/bind.ts'
import { Failure } from '#core/failure.ts'
import { FAULT_CLASSES } from '#core/injection/faults.ts'
import { reliabilityOf } from '#core/injection/reliability.ts'
import { shares, tally, tallyOf, type Tally } from '#core/injection/tally.ts'
import { KNOWN, planFor, runTrial, Rotation, type Court, type Known, type Trial } from '#core/injection/trial.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { seeded } from '#core/proof/random-world.ts'
import type { Proof } from '#core/proof/proof.ts'
import { LINKS, readLinks, readPolicies } from './linked.ts'
import { classPosterior } from '#core/syndrome/confidence.ts'
import { EXIT, finish, newCommand, progress, readCedar, type Answer } from './terminal.ts'

type Options = {
  policies: string; schema: string; links?: string; candidates: number; faulty?: number; faultRate?: number; correlated?: boolean; known: Known; trials: number; seed: number
  fault?: readonly string[]; constitution: string | boolean; config?: string; json?: boolean; quiet?: boolean
}

const MOST = { candidates: 7, trials: 100_000 }

export function command(): Command {
  return newCommand('inject', 'break candidates of a good policy on purpose, and count what comes of it: by a majority that is proved to be one, and by voting on the same candidates', './acgs inject --policies my.cedar --schema my.cedarschema --candidates 3 --faulty 1')
    .requiredOption('--policies <file>', 'Cedar policies that are right')
    .requiredOption('--schema <file>', 'Cedar schema')
    .option(...LINKS)
    .option('--candidates <n>', `so many candidates, which say the same in other words, up to ${MOST.candidates}`, whole(1, MOST.candidates), 3)
    .addOption(new Option('--faulty <k>', 'break so many of them (1 without this)').argParser(whole(0, MOST.candidates)).conflicts('faultRate'))
    .option('--fault-rate <p>', 'break each with this probability, from 0 to 1', share)
    .option('--correlated', 'all broken candidates have the same fault')
    .addOption(new Option('--known <what>', 'what the decoder is told of the candidates. independent: they were compared, and err independently, each one time in twenty. uncompared: nothing, so that they are one witness, and whatever differs is refused. one-source: the broken ones come from one model, say, and are one witness; the others are independent').choices(KNOWN).default('independent'))
    .option('--trials <t>', 'how often', whole(1, MOST.trials), 200)
    .option('--seed <s>', 'another seed makes other trials, the same one the same', whole(0, 2 ** 31 - 1), 1)
    .addOption(new Option('--fault <class...>', 'faults of these classes only').choices(FAULT_CLASSES.map(({ id }) => id)))
    .option('--constitution <file>', 'another constitution than the one in force')
    .option('--no-constitution', 'candidates alone decide')
    .option('--config <file>', 'another configuration file')
    .action(async (options: Options) => finish(await run(options), options))
}

async function run(options: Options): Promise<Answer> {
  const config = readConfig({ file: options.config ?? null, env: process.env })
  const schema = readCedar(options.schema, parseSchema)
  const { policies: original } = readPolicies(options.policies, schema, options.links === undefined ? null : readLinks(options.links))
  if (original.rules.length === 0) throw new Failure('REQUEST_MALFORMED', `${options.policies} has no rules: there is nothing to break`)
  const faulty = options.faultRate === undefined ? { count: options.faulty ?? 1 } : { rate: options.faultRate }
  if ('count' in faulty && faulty.count > options.candidates) throw new Failure('REQUEST_MALFORMED', `--faulty ${faulty.count} is more than the ${options.candidates} candidates there are`)
  const { proofRlimit: rlimit, proofTimeoutMs: timeoutMs, solvers } = config.generationEngine
  await using prover = createProver({ rlimit, timeoutMs, solvers })
  const judged = options.constitution === false ? null : boundTo(schema, options.constitution, config.constitutional)
  const court = courtOf(prover, judged, config.constitutional.complianceThreshold)
  if ((await court.standing(original, schema)) !== 'proved') throw new Failure('REQUEST_MALFORMED', `the constitution does not let ${options.policies} through as they are, so that no trial could come out right: mend them, or say --no-constitution`)

  const chosen = options.fault === undefined ? FAULT_CLASSES : FAULT_CLASSES.filter(({ id }) => options.fault?.includes(id))
  const random = seeded(options.seed)
  const rotation = new Rotation(chosen)
  const trials: Trial[] = []
  const started = performance.now()
  while (trials.length < options.trials) {
    if (rotation.isOver) throw new Failure('REQUEST_MALFORMED', `nothing in ${options.policies} can be broken in any of these ways: ${chosen.map(({ id }) => id).join(', ')}`)
    const plan = planFor({ candidates: options.candidates, faulty, isCorrelated: options.correlated === true, known: options.known }, random)
    const trial = await runTrial(original, schema, plan, rotation, random, court)
    if (trial !== null && trials.push(trial) % 25 === 0) progress(`${trials.length} of ${options.trials} trials`, options)
  }
  const counts = tally(trials)
  const voting = tallyOf(trials, 'voting')
  const reliability = confidenceOf(trials, options.candidates)
  const others = { text_voting: tallyOf(trials, 'textVoting'), single_candidate: tallyOf(trials, 'single') }
  const byClass = Object.fromEntries(chosen.map(({ id }) => [id, trials.filter(({ faults }) => faults.includes(id))]).map(([id, of]) => [id, tally(of as readonly Trial[])]))
  const json = {
    ...counts, not_possible: rotation.impossible, seed: options.seed, candidates: options.candidates, ...('count' in faulty ? { faulty_candidates: faulty.count } : { fault_rate: faulty.rate }), correlated: options.correlated === true, known: options.known,
    equivalent_mutants: trials.reduce((sum, { equivalent }) => sum + equivalent, 0), articles: judged?.bound.length ?? 0,
    from: Object.fromEntries([...Map.groupBy(trials, ({ from }) => from ?? 'refused')].map(([from, of]) => [from, of.length])),
    intervals: shares(counts), reliability, voting: { ...voting, intervals: shares(voting) }, ...others, by_class: byClass, elapsed_ms: Math.round(performance.now() - started),
  }
  const isLone = options.correlated === true && 'count' in faulty && faulty.count < 2
  return { json, text: textOf(counts, reliability, { 'plain voting': voting, 'voting by text': others.text_voting, 'one candidate': others.single_candidate }, byClass, rotation.impossible, options.known) + (isLone ? '\n\none broken candidate has its fault in common with nobody: --correlated needs --faulty 2 or more, or --fault-rate' : ''), exit: counts.false_accepts > 0 || counts.unknown > 0 ? EXIT.no : EXIT.yes }
}

/**
 * How far the posterior of what came out keeps its word. How often candidates are wrong, and wrong alike, is counted on the first half of the trials; the
 * answers of the second half that could be told right or wrong are graded.
 */
function confidenceOf(trials: readonly Trial[], candidates: number) {
  const [counted, graded] = [trials.slice(0, Math.ceil(trials.length / 2)), trials.slice(Math.ceil(trials.length / 2))]
  const isAlike = counted.flatMap(({ faulty, classes }) => faulty.flatMap((i, at) => faulty.slice(at + 1).map((j) => classes?.some((members) => members.includes(i) && members.includes(j)) === true)))
  const [broken, alike] = [counted.reduce((sum, { faulty }) => sum + faulty.length, 0), isAlike.filter((each) => each).length]
  const misread = (broken + 0.5) / (candidates * counted.length + 1)
  const believed = { misread, alike: misread * ((alike + 0.5) / (isAlike.length + 1)) }
  const answered = graded.filter(({ outcome }) => outcome === 'right' || outcome === 'wrong')
  const answers = answered.flatMap(({ outcome, classes, kept }) => (classes === null || kept === null ? [] : [{ confidence: classPosterior(classes, kept, believed), isRight: outcome === 'right' }]))
  return { ...reliabilityOf(answers), ...believed, counted: { trials: counted.length, pairs_wrong: isAlike.length, wrong_alike: alike }, without_confidence: answered.length - answers.length }
}

function boundTo(schema: Schema, constitution: string | boolean, inForce: ReturnType<typeof readConfig>['constitutional']) {
  const { constitution: read } = typeof constitution === 'string' ? loadDraft(constitution) : loadConstitution(inForce, inForce.hash)
  return bind(read, schema)
}

function courtOf(prover: ReturnType<typeof createProver>, judged: ReturnType<typeof boundTo> | null, threshold: number): Court {
  return {
    parse: parsePolicies,
    sameMeaning: prover.sameMeaning,
    decidedOn: prover.decidedOn,
    isMajority: prover.isMajority,
    standing: async (policy: PolicySet, schema: Schema) => {
      if (judged === null || !judged.bound.some(({ article }) => article.hard)) return 'proved'
      const proofs = await prover.proveArticles(policy, schema, judged.bound)
      return standingOf({ proofs: judged.bound.map((article, i) => ({ article: article.article, proof: proofs[i] as Proof, mentions: attributesOf(article) })), inapplicable: judged.inapplicable }, threshold).kind
    },
  }
}

const KNOWN_AS: { readonly [known in Known]: string } = {
  'one-source': 'the broken candidates come from one source, and are one witness',
  uncompared: 'nothing: nobody has compared the candidates, and they are one witness',
  independent: 'the candidates were compared, and err independently',
}

function textOf(ours: Tally, { answers, brier, expected_calibration_error: error, without_confidence: without }: ReturnType<typeof confidenceOf>, others: { readonly [name: string]: Tally }, byClass: { readonly [id: string]: Tally }, impossible: readonly string[], known: Known): string {
  const { detected, located, corrected, refused, false_accepts: wrong } = shares(ours)
  const percent = ({ of, low, high }: typeof detected) => of === null ? 'no trial had a fault' : `${(100 * of).toFixed(1)} % (${(100 * low).toFixed(1)} to ${(100 * high).toFixed(1)})`
  const line = (name: string, each: Tally) => `${name.padEnd(20)} ${String(each.corrected).padStart(6)} right of ${each.faulty} faulty · ${each.refused} refused · ${each.false_accepts} falsely accepted${each.unknown === 0 ? '' : ` · ${each.unknown} not told`}`
  return [
    `${trialsOf(ours)}, ${ours.faulty} of them with a fault${impossible.length === 0 ? '' : `; there is nothing to break in the way of ${impossible.join(', ')}`}`,
    `known                ${KNOWN_AS[known]}`,
    `detected             ${percent(detected)}`, `located              ${percent(located)}`, `corrected            ${percent(corrected)}`, `refused              ${percent(refused)}`, `falsely accepted     ${percent(wrong)}`,
    `confidence           ${brier === null || error === null ? 'no answer had any' : `${answers} ${answers === 1 ? 'answer' : 'answers'}, Brier score ${brier.toFixed(4)}, expected calibration error ${error.toFixed(4)}`}${without === 0 ? '' : `; ${without} without`}`,
    '', line('ours', ours), ...Object.entries(others).map(([name, each]) => line(name, each)),
    '', ...Object.entries(byClass).filter(([, { trials }]) => trials > 0).map(([id, each]) => `  ${id.padEnd(20)} ${trialsOf(each)}, ${each.detected} detected, ${each.corrected} corrected, ${each.refused} refused, ${each.false_accepts} falsely accepted`),
  ].join('\n')
}

function trialsOf({ trials }: Tally): string {
  return `${trials} ${trials === 1 ? 'trial' : 'trials'}`
}

function whole(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most) throw new InvalidArgumentError(`a whole number from ${least} to ${most} is wanted`)
    return value
  }
}

function share(text: string): number {
  const value = Number(text)
  if (!/^(?:0?\.\d+|0|1|1\.0+|0\.\d*)$/.test(text)) throw new InvalidArgumentError('a number from 0 to 1 is wanted')
  return value
}
