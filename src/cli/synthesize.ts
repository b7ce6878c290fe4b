import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import { Failure } from '#core/failure.ts'
import { assess } from '#core/generate.ts'
import { renderNorm } from '#core/policy/english.ts'
import { GenerateBody } from '#core/unit/request.ts'
import { toUnit } from '#core/unit/to-unit.ts'
import { evidence } from '#services/platform/reply.ts'
import { propose, READERS } from '#services/synthesis/propose.ts'
import { openOffline } from './offline.ts'
import { EXIT, counted, finish, newCommand, readText } from './terminal.ts'

type Options = { schema: string; only?: string; json?: boolean; quiet?: boolean; config?: string }

export function command(): Command {
  return newCommand('synthesize', 'sentences to candidates, over a schema', './acgs synthesize rules.md --schema examples/library.cedarschema')
    .argument('<text>', 'file with the sentences; - for standard input')
    .requiredOption('--schema <file>', 'Cedar schema')
    .option('--only <method>', `one method: ${READERS.map(({ method }) => method).join(', ')}`)
    .option('--config <file>', 'another configuration file')
    .action(async (text: string, options: Options) => finish(await run(text, options), options))
}

async function run(file: string, options: Options) {
  const { only } = options
  if (only !== undefined && !READERS.some(({ method }) => method === only)) {
    throw new Failure('REQUEST_MALFORMED', `there is no method \`${only}\`: name one of ${READERS.map(({ method }) => method).join(', ')}`)
  }
  const description = readText(file).trim()
  if (description === '') throw new Failure('REQUEST_MALFORMED', `\`${file}\` is empty: write who may or must not do what, in sentences`)
  await using offline = openOffline(options)
  const { config, inForce, packs, examiner } = offline
  const blank = GenerateBody.parse({ title: 'sentences', description: 'sentences to be read' })
  const body = { ...blank, description, context: { ...blank.context, schema: readText(options.schema) } }
  const unit = toUnit(`syn_${randomUUID()}`, body, { packs, constitution: inForce.constitution, parseSchema: examiner.parseSchema, threshold: config.constitutional.complianceThreshold })
  const examining = examiner.examining(unit.schema)
  const candidates = (await propose(unit, examining.bound.bound)).filter(({ method }) => only === undefined || method === only)
  const assessment = await assess({ unit, candidates }, examining)
  const shown = evidence({ unit, candidates, askedAgain: [], ...assessment, certificate: null, normExamples: [] }, inForce.shown, null)
  const [{ norms, unread }] = assessment.corrections
  const { diagnosis, inquiry } = assessment

  const json = {
    applicable: shown.applicable,
    norms: shown.norms,
    unread: shown.unread,
    candidates: candidates.map(({ method, cedar, readings }) => ({ method, cedar, unread: readings.filter(({ kind }) => kind === 'unread') })),
    cedar: shown.cedar,
    independent_witnesses: shown.independent_witnesses,
    diagnosis,
    questionnaire: shown.questionnaire,
  }
  const read = unit.sentences.length - unread.length
  const text = [
    `${read} of ${counted(unit.sentences.length, 'sentence')} read · ${unread.length} unread · ${shown.applicable.articles} of ${shown.applicable.of} articles apply · readers: ${shown.independent_witnesses}`,
    ...norms.map((norm) => `  ${norm.id}  ${renderNorm(norm)}`),
    ...unread.map(({ sentence, text, because }) => `  sentence ${sentence} unread: ${because}\n      “${text}”`),
    ...(diagnosis.kind === 'clean' ? [] : [`  diagnosis: ${diagnosis.kind}${inquiry?.kind === 'open' ? `: ${inquiry.question.words}` : ''}`]),
    '',
    shown.cedar.trimEnd(),
  ].join('\n')
  const isOpen = shown.unread.some(({ may_rule }) => may_rule) || ['ambiguous', 'unexplained', 'incomplete'].includes(diagnosis.kind)
  return { json, text, exit: isOpen ? EXIT.undetermined : EXIT.yes }
}
