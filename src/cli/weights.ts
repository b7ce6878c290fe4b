import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InvalidArgumentError, type Command } from 'commander'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { readConfig } from '#config'
import { Failure } from '#core/failure.ts'
import { parseJson } from '#core/json.ts'
import type { Graded } from '#core/injection/reliability.ts'
import { gradeReadings } from '#core/injection/reading-trial.ts'
import { knownSentence } from '#core/injection/sentences.ts'
import { seeded } from '#core/proof/random-world.ts'
import { agreement } from '#core/syndrome/confidence.ts'
import { countOutcomes, readOutcomes, type Outcomes, type ReadingOutcome } from '#core/syndrome/outcomes.ts'
import { MEASURED_FROM, alikeRate, areTwoWitnesses, correlation, misreadRate, readWeights, type Estimate, type Weights } from '#core/syndrome/weights.ts'
import { effectiveWitnesses } from '#core/syndrome/witnesses.ts'
import { READING } from '#services/synthesis/read.ts'
import { EXIT, finish, newCommand, newGroup, progress, readCedar, readText, type Answer } from './terminal.ts'

type Options = { weights: string; json?: boolean; quiet?: boolean }
type MeasureOptions = { weights: string; schema: readonly string[]; sentences: number; seed: number; source?: string; out?: string; config?: string; json?: boolean; quiet?: boolean }

/** Those that ship, and that every process decodes with. */
const SHIPPED = fileURLToPath(new URL('../core/syndrome/weights.json', import.meta.url))

/** Sentences of one text, where confidence is graded. */
const TEXT_SENTENCES = 3

export function command(): Command {
  const show = newCommand('show', 'how often each method is wrong, how far two are wrong together, and which are two witnesses: what was counted, where, and what is only assumed', './acgs weights show')
    .option('--weights <file>', 'another file of weights', SHIPPED)
    .action((options: Options) => finish(shown(readWeights(parsed(options.weights))), options))
  const measure = newCommand('measure', 'have the readers read sentences whose meaning is known, and record what they made of them', './acgs weights measure --schema packs/data-protection/schema.cedarschema --sentences 400 --out outcomes.json')
    .requiredOption('--schema <file...>', 'Cedar schemas that the sentences speak about')
    .option('--sentences <n>', 'so many sentences; half are counted, half graded', whole(2, 100_000), 400)
    .option('--seed <s>', 'another seed makes other sentences, the same one the same', whole(0, 2 ** 31 - 1), 1)
    .option('--source <id>', 'what the outcomes are called in the weights (known-sentences-SEED without this)')
    .option('--out <file>', 'where to write the outcomes')
    .option('--weights <file>', 'another file of weights: answers are graded with the confidence that it gives once the outcomes are counted into it', SHIPPED)
    .option('--config <file>', 'another configuration file')
    .action(async (options: MeasureOptions) => finish(await measured(options), options))
  const update = newCommand('update', 'count recorded outcomes into the weights, and say what changes', './acgs weights update --from outcomes.json --dry-run')
    .requiredOption('--from <file>', 'recorded outcomes: docs/concepts/decoding.md has their form')
    .option('--weights <file>', 'another file of weights', SHIPPED)
    .option('--dry-run', 'say what would change, and write nothing')
    .action((options: Options & { from: string; dryRun?: boolean }) => finish(updated(options), options))
  return newGroup('weights', 'what the decoder weighs explanations with, and where it comes from', './acgs weights show').addCommand(show).addCommand(measure).addCommand(update)
}

function shown(weights: Weights): Answer {
  const json = figures(weights)
  const { readings, calibration, assumed } = weights
  const text = [
    `weights ${weights.version}`,
    ...readings.sources.map(({ id, what, counts, sentences }) => `  counted${counts === 'together' ? ' for how methods err together' : ''}: ${id}, ${sentences} sentences: ${what}`),
    '', 'wrong, of the sentences it has read', ...json.methods.map(({ method, misread }) => `  ${method.padEnd(22)} ${said(misread)}`),
    '', 'wrong together (correlation), wrong alike of the sentences that the first has wrong, effective witnesses, and whether they are two witnesses',
    ...json.pairs.map((pair) => `  ${pair.methods.join(' and ').padEnd(42)} ${said(pair.correlation)} · ${said(pair.alike)} · ${pair.effective_witnesses.toFixed(2)} · ${witnessesSaid(pair)}`),
    ...json.not_compared.map((methods) => `  ${methods.join(' and ').padEnd(42)} no sentence was counted that both have read · one witness`),
    '', `Two methods are two witnesses once ${MEASURED_FROM} sentences that both have read are counted: then they can outvote a third, and effective witnesses say how much they weigh. A method`,
    'that is not named here, such as a model that was added, is one witness with whoever reads beside it: it can disagree, until `./acgs weights update` has counted it.',
    '', calibration === null ? 'confidence was never compared with what came of it: replies carry none' : `confidence is calibrated on ${calibration.on}: ${calibration.right} right, Brier score ${calibration.brier.toFixed(4)}, expected calibration error ${calibration.expected_calibration_error.toFixed(4)}`,
    '', 'assumed', ...Object.entries(assumed).map(([name, { value, because }]) => `  ${name.padEnd(28)} ${value}  ${because}`),
  ].join('\n')
  return { json, text, exit: EXIT.yes }
}

function figures(weights: Weights) {
  const { readings, calibration, assumed, version } = weights
  return {
    version, sources: readings.sources, calibration, assumed,
    methods: readings.methods.map(({ method, read, wrong }) => ({ method, read, wrong, misread: misreadRate(method, weights) })),
    pairs: readings.pairs.map((pair) => ({ ...pair, ...together(pair.methods, weights) })),
    not_compared: neverTogether(weights),
  }
}

/** How far two methods err together, how much they weigh together, and whether they are two witnesses. */
function together(methods: readonly [string, string], weights: Weights) {
  const [a, b] = [{ method: methods[0], lineage: methods[0] }, { method: methods[1], lineage: methods[1] }]
  return { correlation: correlation(a, b, weights), alike: alikeRate(a, b, weights), effective_witnesses: effectiveWitnesses([a, b], weights), are_two_witnesses: areTwoWitnesses(a, b, weights) }
}

/** Which of the methods that were counted at all were never counted together. */
function neverTogether({ readings: { methods, pairs } }: Weights): readonly (readonly [string, string])[] {
  const names = [...new Set([...methods.map(({ method }) => method), ...pairs.flatMap((pair) => pair.methods)])].sort()
  return names.flatMap((one, i) => names.slice(i + 1).flatMap((other) => (pairs.some((pair) => pair.methods[0] === one && pair.methods[1] === other) ? [] : [[one, other] as const])))
}

function witnessesSaid({ are_two_witnesses: areTwo, both_read: read }: { readonly are_two_witnesses: boolean; readonly both_read: number }): string {
  return areTwo ? 'two witnesses' : `one witness: ${read} of ${MEASURED_FROM} sentences counted`
}

function said({ value, low, high, of, isMeasured }: Estimate): string {
  const figure = (each: number) => each.toPrecision(3)
  return isMeasured ? `${figure(value)}${low === null || high === null ? '' : ` (${figure(low)} to ${figure(high)})`}, counted on ${of}` : `${figure(value)}, assumed${of === 0 ? '' : `: ${of} counted say too little`}`
}

async function measured(options: MeasureOptions): Promise<Answer> {
  const { proofRlimit: rlimit, proofTimeoutMs: timeoutMs, solvers } = readConfig({ file: options.config ?? null, env: process.env }).generationEngine
  await using prover = createProver({ rlimit, timeoutMs, solvers })
  const schemas = options.schema.map((file) => readCedar(file, parseSchema))
  const random = seeded(options.seed)
  const seen = new Set<string>()
  const outcomes: ReadingOutcome[] = []
  let [drawn, unknown] = [0, 0]
  while (outcomes.length < options.sentences) {
    if (++drawn > options.sentences * 100) throw new Failure('REQUEST_MALFORMED', `only ${outcomes.length} different sentences can be made over these schemas: ask for fewer, or give more schemas`)
    const schema = schemas[drawn % schemas.length] as (typeof schemas)[number]
    const known = knownSentence(schema, random)
    if (known === null || seen.has(`${schema.digest} ${known.text}`)) continue
    seen.add(`${schema.digest} ${known.text}`)
    const outcome = await gradeReadings(known, schema, READING, { parse: parsePolicies, sameMeaning: prover.sameMeaning })
    if (outcome === null) unknown++
    else if (outcomes.push(outcome) % 100 === 0) progress(`${outcomes.length} of ${options.sentences} sentences`, options)
  }
  const counted = outcomes.slice(0, Math.ceil(outcomes.length / 2))
  const source = { id: options.source ?? `known-sentences-${options.seed}`, what: `sentences of known meaning (acgs weights measure --seed ${options.seed} --sentences ${options.sentences}) over ${options.schema.map((file) => `${basename(dirname(resolve(file)))}/${basename(file)}`).join(', ')}`.slice(0, 500) }
  const own = readOutcomes({ source, outcomes: counted })
  const before = readWeights(parsed(options.weights))
  const graded = gradedTexts(outcomes.slice(counted.length), before.readings.sources.some(({ id }) => id === source.id) ? before : countOutcomes(before, own))
  const recorded: Outcomes = { ...own, graded: graded.map(({ confidence, isRight }) => ({ confidence, right: isRight })) }
  if (options.out !== undefined) write(options.out, recorded)
  const after = countOutcomes({ ...before, readings: { sources: [], methods: [], pairs: [] } }, recorded)
  const { text } = shown(after)
  const wrong = outcomes.filter(({ readings }) => Object.values(readings).some((outcome) => outcome.startsWith('wrong')))
  return {
    json: { ...figures(after), sentences: outcomes.length, not_told: unknown, wrong, recorded },
    text: [text, '', `${outcomes.length} sentences, ${unknown} more could not be told`, ...wrong.map(({ sentence, readings }) => `  ${sentence}  ${Object.entries(readings).map(([method, outcome]) => `${method}: ${outcome}`).join(', ')}`), ...(options.out === undefined ? [] : [`written to ${options.out}: ./acgs weights update --from ${options.out}`])].join('\n'),
    exit: EXIT.yes,
  }
}

/** Texts of several sentences that readers answer without a question, each with its confidence and whether all of it is right. */
function gradedTexts(outcomes: readonly ReadingOutcome[], weights: Weights): readonly Graded[] {
  const graded: Graded[] = []
  for (let from = 0; from + TEXT_SENTENCES <= outcomes.length; from += TEXT_SENTENCES) {
    const sentences = outcomes.slice(from, from + TEXT_SENTENCES).map(({ readings }) => Object.entries(readings).filter(([, outcome]) => outcome !== 'unread'))
    if (sentences.some((read) => new Set(read.map(([, outcome]) => outcome)).size !== 1)) continue
    graded.push({
      confidence: sentences.reduce((product, read) => product * agreement(read.map(([method]) => ({ method, lineage: method })), weights), 1),
      isRight: sentences.every((read) => read[0]?.[1] === 'right'),
    })
  }
  return graded
}

function updated(options: Options & { from: string; dryRun?: boolean }): Answer {
  const before = readWeights(parsed(options.weights))
  const outcomes = readOutcomes(parsed(options.from))
  const after = countOutcomes(before, outcomes)
  const { length: graded } = outcomes.graded
  if (options.dryRun !== true) write(options.weights, after)
  const rates = (weights: Weights) => new Map(weights.readings.methods.map(({ method }) => [method, misreadRate(method, weights)]))
  const [was, is] = [rates(before), rates(after)]
  const changes = [...is].map(([method, rate]) => ({ method, before: was.get(method) ?? misreadRate(method, before), after: rate }))
  const pairs = after.readings.pairs.map(({ methods, both_read }) => ({ methods, both_read, before: together(methods, before), after: together(methods, after) }))
  return {
    json: { written: options.dryRun !== true, file: options.weights, changes, pairs, calibration: { before: before.calibration, after: after.calibration }, weights: after },
    text: [
      ...changes.map(({ method, before: old, after: now }) => `${method.padEnd(22)} ${said(old)}  →  ${said(now)}`),
      ...pairs.flatMap(({ methods, both_read: read, before: old, after: now }) => [
        methods.join(' and '),
        `  ${'correlation'.padEnd(20)} ${said(old.correlation)}  →  ${said(now.correlation)}`,
        `  ${'wrong alike'.padEnd(20)} ${said(old.alike)}  →  ${said(now.alike)}`,
        `  ${'effective witnesses'.padEnd(20)} ${old.effective_witnesses.toFixed(2)}  →  ${now.effective_witnesses.toFixed(2)}`,
        `  ${'are two witnesses'.padEnd(20)} ${old.are_two_witnesses ? 'yes' : 'no'}  →  ${now.are_two_witnesses ? 'yes' : `no: ${read} of ${MEASURED_FROM} sentences counted`}`,
      ]),
      after.calibration === null ? `${graded === 0 ? 'no graded answers' : graded === 1 ? '1 graded answer says too little' : `${graded} graded answers say too little`}: replies will carry no confidence; ${MEASURED_FROM} are needed` : `calibrated on ${after.calibration.on}`,
      options.dryRun === true ? 'nothing was written' : `written to ${relative(process.cwd(), options.weights) || options.weights}; processes that run read it when they start again`,
    ].join('\n'),
    exit: EXIT.yes,
  }
}

function parsed(file: string): unknown {
  return parseJson(Buffer.from(file === SHIPPED ? readFileSync(file, 'utf8') : readText(file)), file)
}

/** Whole or not at all. */
function write(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(value, null, 2)}\n`)
  renameSync(`${file}.new`, file)
}

function whole(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most) throw new InvalidArgumentError(`a whole number from ${least} to ${most} is wanted`)
    return value
  }
}
