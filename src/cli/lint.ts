import { Option, type Command } from 'commander'
import packageJson from '../../package.json' with { type: 'json' }
import type { RuleFindings } from '#core/proof/lint.ts'
import type { Counterexample, Proof } from '#core/proof/proof.ts'
import { newQuestion, openQuestion, type ProverOptions } from './questioned.ts'
import { EXIT, counted, finish, progress, type Answer } from './terminal.ts'

type Options = ProverOptions & { format?: 'json' | 'sarif' }

type Kind = keyof typeof KINDS
/** What is wrong with a rule, the weightiest first: of a rule that no request satisfies it need not be said that it is redundant. */
const KINDS = {
  failing: { level: 'error', says: 'can fail to evaluate' },
  vacuous: { level: 'warning', says: 'is satisfied by no request' },
  shadowed: { level: 'warning', says: 'never tells: other rules decide whatever it is satisfied by' },
  redundant: { level: 'note', says: 'can be left out: the policy means the same without it' },
} as const

const THEN = { 'decision-point': 'the decision point then denies whatever was asked', cedar: 'Cedar then skips it' } as const

type Finding = { rule: string; kind: Kind; line: number; column: number; message: string; counterexample?: Counterexample }
type Unknown = { rule: string; question: string; reason: string }

export function command(): Command {
  return newQuestion('lint', 'what is wrong with a policy’s rules: failing, vacuous, shadowed, redundant, each proved', './acgs lint policy.cedar --schema my.cedarschema')
    .argument('<policies>', 'Cedar policies')
    .addOption(new Option('--format <which>', 'one JSON document, or SARIF 2.1.0 as code hosts read it').choices(['json', 'sarif']))
    .action(async (policies: string, options: Options) => {
      const answer = await run(policies, options)
      finish(answer, { ...options, ...(options.format === undefined ? {} : { json: true }) })
    })
}

async function run(file: string, options: Options): Promise<Answer> {
  const use = openQuestion(options)
  await using _ = use.prover
  const { policies, places: placed } = use.read(file)
  const places = placed()
  progress('proving …', options)
  const started = performance.now()
  const all = await use.prover.lint(policies, use.schema, use.only)
  use.emitted()
  const findings = all.flatMap((each, i) => findingsOf(each, places[i] ?? { line: 1, column: 1 }, options.semantics))
  const unknown = all.flatMap(unknownOf)
  const exit = findings.length > 0 ? EXIT.no : unknown.length > 0 ? EXIT.undetermined : EXIT.yes
  const json = options.format === 'sarif' ? sarif(file, findings, unknown) : { rules: all.length, findings, unknown, engines: all[0]?.vacuous.engines ?? [], elapsed_ms: Math.round(performance.now() - started) }
  const lines = [
    ...findings.map(({ line, column, kind, rule, message, counterexample }) => `${file}:${line}:${column}: ${KINDS[kind].level}: ${rule} ${message}${counterexample === undefined ? '' : `, e.g. ${counterexample.principal} ${counterexample.action} ${counterexample.resource}`} (${kind})`),
    ...unknown.map(({ rule, question, reason }) => `${file}: unknown: whether ${rule} is ${question}: ${reason}`),
  ]
  return { json, text: lines.length === 0 ? `nothing found in ${counted(all.length, 'rule')}` : lines.join('\n'), exit }
}

function findingsOf({ rule, vacuous, shadowed, redundant, neverFails }: RuleFindings, { line, column }: { line: number; column: number }, semantics: ProverOptions['semantics']): readonly Finding[] {
  const found = (kind: Kind, more: Partial<Finding> = {}): Finding => ({ rule: rule.id, kind, line, column, message: KINDS[kind].says, ...more })
  const failing = neverFails.answer.kind === 'refuted' ? [found('failing', { message: `${KINDS.failing.says}: ${THEN[semantics]}`, counterexample: neverFails.answer.counterexample })] : []
  const holds = (proof: Proof) => proof.answer.kind === 'proved'
  const idle = holds(vacuous) ? [found('vacuous')] : holds(shadowed) ? [found('shadowed')] : holds(redundant) ? [found('redundant')] : []
  return [...failing, ...idle]
}

function unknownOf({ rule, vacuous, shadowed, redundant, neverFails }: RuleFindings): readonly Unknown[] {
  return Object.entries({ vacuous, shadowed, redundant, failing: neverFails }).flatMap(([question, { answer }]) => (answer.kind === 'unknown' ? [{ rule: rule.id, question, reason: answer.reason }] : []))
}

/** @see SARIF 2.1.0, OASIS */
function sarif(file: string, findings: readonly Finding[], unknown: readonly Unknown[]): unknown {
  return {
    version: '2.1.0',
    runs: [{
      tool: { driver: { name: 'acgs lint', version: packageJson.version, rules: Object.entries(KINDS).map(([id, { level, says }]) => ({ id, shortDescription: { text: `A rule that ${says}.` }, defaultConfiguration: { level } })) } },
      results: findings.map(({ rule, kind, line, column, message, counterexample }) => ({
        ruleId: kind, ruleIndex: Object.keys(KINDS).indexOf(kind), level: KINDS[kind].level, message: { text: `${rule} ${message}.` },
        locations: [{ physicalLocation: { artifactLocation: { uri: encodeURI(file) }, region: { startLine: line, startColumn: column } } }],
        ...(counterexample === undefined ? {} : { properties: { counterexample } }),
      })),
      invocations: [{ executionSuccessful: unknown.length === 0, toolExecutionNotifications: unknown.map(({ rule, question, reason }) => ({ level: 'warning', message: { text: `Whether ${rule} is ${question} is not known: ${reason}.` } })) }],
    }],
  }
}
