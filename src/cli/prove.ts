import type { Command } from 'commander'
import { describe } from '#core/compliance/explain.ts'
import { applicable, score, standingOf } from '#core/compliance/judge.ts'
import { attributesOf } from '#core/constitution/article.ts'
import { bind } from '#core/constitution/bind.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Counterexample, Proof } from '#core/proof/proof.ts'
import { askInWords, factsOf, regardOf } from '#core/questions/words.ts'
import { loadConstitution, loadDraft } from '#adapters/constitution.ts'
import { newQuestion, openQuestion, type ProverOptions } from './questioned.ts'
import { EXIT, finish, newGroup, progress } from './terminal.ts'

type Options = ProverOptions & { constitution?: string }
type Questioned = ReturnType<typeof openQuestion>

const COMPARE = {
  equivalent: 'whether two policies decide every request alike, and demand the same obligations for what they permit',
  implies: 'whether whatever A permits, B permits',
  disjoint: 'whether no request is permitted by both',
} as const
const ABOUT = {
  'always-denies': 'whether no request is permitted',
  'always-allows': 'whether every request is permitted',
  'never-errors': 'whether no rule can fail to evaluate',
} as const

export function command(): Command {
  const group = newGroup('prove', 'questions about every request that a schema allows: proved, refuted with a request, or unknown', './acgs prove constitution out/clinic/policy.cedar --schema out/clinic/schema.cedarschema')
  for (const name of Object.keys(COMPARE) as (keyof typeof COMPARE)[]) {
    group.addCommand(newQuestion(name, COMPARE[name], `./acgs prove ${name} old.cedar new.cedar --schema my.cedarschema`)
      .argument('<a>', 'Cedar policies').argument('<b>', 'Cedar policies')
      .action((a: string, b: string, options: Options) => settle(options, ({ parseBoth }) => parseBoth(a, b), ({ prover, schema, only }, [one, other]) => prover.compare[name](one, other, schema, only))))
  }
  for (const name of Object.keys(ABOUT) as (keyof typeof ABOUT)[]) {
    group.addCommand(newQuestion(name, ABOUT[name], `./acgs prove ${name} policy.cedar --schema my.cedarschema`)
      .argument('<policies>', 'Cedar policies')
      .action((policies: string, options: Options) => settle(options, ({ parse }) => [parse(policies)], ({ prover, schema, only }, [policy]) => prover.about[name](policy, schema, only))))
  }
  group.addCommand(newQuestion('constitution', 'every article of the constitution that the schema binds', './acgs prove constitution policy.cedar --schema my.cedarschema')
    .argument('<policies>', 'Cedar policies')
    .option('--constitution <file>', 'another constitution than the one in force')
    .action(async (policies: string, options: Options) => finish(await constitution(policies, options), options)))
  return group
}

async function settle<const T extends readonly PolicySet[]>(options: Options, read: (use: Questioned) => T, ask: (use: Questioned, policies: T) => Promise<Proof>): Promise<void> {
  const use = openQuestion(options)
  await using _ = use.prover
  const policies = read(use)
  progress('proving …', options)
  const started = performance.now()
  const proof = await ask(use, policies)
  use.emitted()
  const { answer, environments } = proof
  const json = {
    answer: answer.kind,
    environments,
    ...(answer.kind === 'refuted' ? { counterexample: answer.counterexample } : {}),
    ...(answer.kind === 'unknown' ? { reason: answer.reason } : {}),
    ...recordOf(proof), elapsed_ms: Math.round(performance.now() - started),
  }
  const text = answer.kind === 'proved' ? `proved in ${environments.length} request ${environments.length === 1 ? 'environment' : 'environments'}` : answer.kind === 'refuted' ? refutedBy(answer.counterexample, policies, use.schema) : `unknown: ${answer.reason}`
  finish({ json, text, exit: statusOf(answer.kind) }, options)
}

/** A counterexample as people ask: what is given of what the rules look at, and what is asked; the whole request is in `--json`. */
function refutedBy(counterexample: Counterexample, policies: readonly PolicySet[], schema: Schema): string {
  const words = askInWords(counterexample, factsOf(counterexample, schema, regardOf(policies.flatMap(({ rules }) => rules), counterexample, schema)), schema)
  return `refuted by this request, which --json has whole as “counterexample”, for ./acgs decide:\n  ${words}`
}

async function constitution(policies: string, options: Options) {
  const use = openQuestion(options)
  await using _ = use.prover
  const { constitutional } = use.config
  const inForce = options.constitution === undefined ? loadConstitution(constitutional, constitutional.hash) : loadDraft(options.constitution)
  const { bound, inapplicable } = bind(inForce.constitution, use.schema)
  const policy = use.parse(policies)
  progress('proving …', options)
  const started = performance.now()
  const proofs = await use.prover.articles(policy, use.schema, bound, use.only)
  use.emitted()
  const examined = bound.map((article, i) => ({ article: article.article, proof: proofs[i] as Proof, mentions: attributesOf(article) }))
  const value = score({ proofs: examined, inapplicable })
  const verdict = standingOf({ proofs: examined, inapplicable }, constitutional.complianceThreshold).kind
  const articles = examined.map(({ article, proof, proof: { answer } }) => ({
    id: article.id, hard: article.hard, answer: answer.kind,
    ...(answer.kind === 'refuted' ? { counterexample: answer.counterexample } : {}),
    ...(answer.kind === 'unknown' ? { reason: answer.reason } : {}),
    ...recordOf(proof),
  }))
  const lines = examined.map(({ article, proof: { answer }, mentions }) => {
    const detail = answer.kind === 'refuted' ? `  ${describe(answer.counterexample, mentions)}` : answer.kind === 'unknown' ? `  ${answer.reason}` : ''
    return `  ${answer.kind.padEnd(8)} ${article.id}${article.hard ? '' : ' (soft)'}${detail}`
  })
  return {
    json: {
      verdict, score: value, applicable: applicable({ proofs: examined, inapplicable }),
      articles, constitutional_hash: inForce.shown.hash, constitutional_digest: inForce.shown.digest, elapsed_ms: Math.round(performance.now() - started),
    },
    text: [`${verdict}: ${bound.length} of ${bound.length + inapplicable.length} articles apply, score ${value === null ? 'null' : Number(value.toFixed(3))}`, ...lines].join('\n'),
    exit: statusOf(verdict),
  }
}

/** What it takes to make a proof again, and what it rests on. */
function recordOf({ engines, limits, inputDigest, basis }: Proof) {
  return { engines, limits: { rlimit: limits.rlimit, timeout_ms: limits.timeoutMs }, input_digest: inputDigest, basis }
}

function statusOf(answer: 'proved' | 'refuted' | 'unknown'): number {
  return { proved: EXIT.yes, refuted: EXIT.no, unknown: EXIT.undetermined }[answer]
}
