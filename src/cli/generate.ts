import { randomUUID } from 'node:crypto'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { certificateKeyFor } from '#adapters/keys/certificate-key.ts'
import { canonical } from '#core/canonical.ts'
import { describe } from '#core/compliance/explain.ts'
import { generate, type Generation } from '#core/generate.ts'
import { renderDocument } from '#core/document.ts'
import { answerName } from '#core/unit/example.ts'
import { GenerateBody } from '#core/unit/request.ts'
import { toUnit } from '#core/unit/to-unit.ts'
import { certifier } from '#services/compliance/certify.ts'
import { certifiedReply, notCertified, verdictName } from '#services/platform/reply.ts'
import { propose } from '#services/synthesis/propose.ts'
import { openOffline } from './offline.ts'
import { EXIT, counted, finish, newCommand, progress, readShaped, readText } from './terminal.ts'

type Options = { schema?: string; constitution?: string; out?: string; data?: string; config?: string; json?: boolean; quiet?: boolean }

export function command(): Command {
  return newCommand('generate', 'the whole flow without a server: from a request to a certificate, or to the reason why there is none', './acgs generate examples/clinic.json --out out/clinic')
    .argument('<request>', 'JSON file with the body of generate-policy')
    .option('--schema <file>', 'a Cedar schema of your own')
    .option('--constitution <file>', 'another constitution than the one in force')
    .option('--out <dir>', 'write policy.cedar, schema.cedarschema, document.md and certificate.json; or counterexample.json, or question.json')
    .option('--data <dir>', 'the data folder, which holds the certificate key')
    .option('--config <file>', 'another configuration file')
    .action(async (request: string, options: Options) => finish(await run(request, options), options))
}

async function run(request: string, options: Options) {
  const body = readShaped(GenerateBody, request)
  const withSchema = options.schema === undefined ? body : { ...body, context: { ...body.context, schema: readText(options.schema) } }
  await using offline = openOffline(options)
  const { config, inForce, packs, examiner } = offline
  const key = certificateKeyFor(config)
  const at = new Date()
  const started = performance.now()
  progress('reading, measuring, proving …', options)

  const unit = toUnit(`gen_${randomUUID()}`, withSchema, { packs, constitution: inForce.constitution, parseSchema: examiner.parseSchema, threshold: config.constitutional.complianceThreshold })
  const examining = examiner.examining(unit.schema)
  const { generation } = await generate(unit, {
    ...examining,
    propose: (each) => propose(each, examining.bound.bound),
    certify: (evidence) => certifier({
      examiner, key, constitutionalHash: inForce.shown.hash, threshold: config.constitutional.complianceThreshold,
      validDays: config.constitutional.certificateDays, telemetry: null, now: () => at,
    })(evidence, COMMAND_LINE),
    append: async () => null, // Without a server there is no ledger.
  })
  if (options.out !== undefined) writeAll(options.out, generation)

  const ms = Math.round(performance.now() - started)
  const isCertified = generation.verdict.kind === 'compliant'
  const json = isCertified ? certifiedReply(generation, inForce.shown, null, { ms, at }) : { verdict: verdictName(generation), ...notCertified(generation, inForce.shown, null) }
  const exit = { compliant: EXIT.yes, violates: EXIT.no, undetermined: EXIT.undetermined }[generation.verdict.kind]
  return { json, text: [summary(generation, ms), ...howToAnswer(generation, options.out), ...(options.out === undefined ? [] : [`files in ${options.out}`])].join('\n'), exit }
}

/** The author of what is made without a server: nobody whom Auth knows. */
const COMMAND_LINE = 'command line'

function summary(generation: Generation, ms: number): string {
  const { examination, verdict, corrections: [{ norms, unread, independentWitnesses }], certificate, score, semanticHash, normExamples, inquiry } = generation
  const decidesNothing = new Set(normExamples.flatMap(({ kind, norm }) => (kind === 'redundant' ? [norm] : [])))
  // Of a sentence with several norms, such as “only nurses may …”, one often says nothing new.
  const redundant = norms.filter(({ sentence }) => norms.every((other) => other.sentence !== sentence || decidesNothing.has(other.id))).map(({ id }) => id)
  const total = examination.proofs.length + examination.inapplicable.length
  const proved = examination.proofs.filter(({ proof }) => proof.answer.kind === 'proved').length
  return [
    `${verdictName(generation)}   ${examination.proofs.length} of ${counted(total, 'article')} apply`,
    `${counted(norms.length, 'norm')} · unread: ${unread.length === 0 ? 'none' : unread.map(({ sentence }) => `sentence ${sentence}`).join(', ')} · independent_witnesses ${independentWitnesses}`,
    `${proved} of ${counted(examination.proofs.length, 'article')} proved in ${ms} ms · score ${score === null ? 'null' : Number(score.toFixed(3))} · semantic_hash ${semanticHash}${certificate === null ? '' : ` · certificate ${certificate.id}`}`,
    ...(redundant.length === 0 ? [] : [`without ${redundant.length === 1 ? '' : 'any one of '}${redundant.join(', ')} every request is decided alike: see whether ${redundant.length === 1 ? 'it says' : 'they say'} what is meant`]),
    ...(verdict.kind === 'violates' ? verdict.violations.map(({ article, counterexample, mentions, remedy }) => `${article} is violated by: ${describe(counterexample, mentions)}${remedy === undefined ? '' : `\n  to settle it: ${remedy}`}`) : []),
    ...(verdict.kind === 'undetermined' ? verdict.doubts.map(({ message, remedy }) => `${message}\n  to settle it: ${remedy}`) : []),
    // What a sentence can mean that the question is about.
    ...(inquiry?.kind === 'open' ? unread.filter(({ sentence }) => inquiry.sentences.includes(sentence)).map(({ sentence, because }) => `sentence ${sentence}: ${because}`) : []),
  ].join('\n')
}

/** Without a server nothing keeps the question: its answer is an example of the next request. */
function howToAnswer({ inquiry }: Generation, out: string | undefined): readonly string[] {
  if (inquiry?.kind !== 'open') return []
  return [`to answer it here: ${out === undefined ? 'with --out, question.json is the request that is asked about' : `${join(out, 'question.json')} is the request that is asked about`}; give it a "decision", "allow" or "deny", and add it to context.examples`]
}

/** Everything that a folder of a generation holds; what an earlier one left there and this one does not have is removed. */
function writeAll(folder: string, generation: Generation): void {
  const { verdict, unit, corrections: [{ policy }], certificate, examination, inquiry } = generation
  const asked = inquiry?.kind === 'open' ? inquiry.question : null
  const refuted = verdict.kind === 'violates' ? verdict.violations[0]?.counterexample : examination.proofs.map(({ proof }) => proof.answer).find((answer) => answer.kind === 'refuted')?.counterexample
  const files: { readonly [name: string]: string | null } = {
    'policy.cedar': policy.text,
    'schema.cedarschema': unit.schema.text,
    'document.md': renderDocument(generation).markdown,
    'certificate.json': certificate === null ? null : `${canonical(certificate)}\n`,
    'question.json': asked === null ? null : `${JSON.stringify({ name: answerName(asked.id), request: asked.request, entities: asked.entities }, null, 2)}\n`,
    'counterexample.json': certificate !== null || refuted === undefined ? null : `${JSON.stringify(refuted, null, 2)}\n`,
  }
  mkdirSync(folder, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    if (content === null) rmSync(join(folder, name), { force: true })
    else {
      writeFileSync(join(folder, `${name}.new`), content)
      renameSync(join(folder, `${name}.new`), join(folder, name))
    }
  }
}
