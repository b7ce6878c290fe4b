import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { parsePolicies } from '#adapters/cedar/cedar.ts'
import { createExaminer } from '#adapters/examiner.ts'
import { loadPacks } from '#adapters/packs.ts'
import { createProver } from '#adapters/solver/prover.ts'
import type { BoundArticle } from '#core/constitution/article.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { TRUE } from '#core/policy/expression.ts'
import { LIMITS, permitsSomething } from '#core/proof/questions.ts'

const constitution = parseConstitution(readFileSync('constitutions/acgs.yaml', 'utf8'))
const packs = new Map(loadPacks('packs').map((pack) => [pack.name, pack]))
const prover = createProver(LIMITS)
after(() => prover[Symbol.asyncDispose]())
const examiner = createExaminer(constitution, prover)

/** One of an article's two policies; its first line names the pack whose schema it is over. */
function witness(id: string, kind: 'refuted' | 'satisfied') {
  const text = readFileSync(`constitutions/witnesses/${id}/${kind}.cedar`, 'utf8')
  const pack = packs.get(/^\/\/ pack: (\S+)\n/.exec(text)?.[1] ?? '')
  assert(pack !== undefined, `${id}/${kind}.cedar names no pack in its first line`)
  const schema = examiner.parseSchema(pack.schema)
  const article = examiner.bind(schema).bound.find((bound) => bound.article.id === id)
  assert(article !== undefined, `${id} does not apply to ${pack.name}`)
  return { policy: parsePolicies(text, schema), schema, article }
}

/**
 * What an article is about, excused or not. Where it has no excuse, whatever matches is forbidden: then it is about the rest of the
 * requests of its environments, too.
 */
function about({ article, environments }: BoundArticle): BoundArticle['environments'] {
  return environments.map((each) => {
    if (article.kind === 'must-permit') return each
    return article.kind === 'never-permit' && each.unless === null ? { ...each, matches: TRUE } : { ...each, unless: null }
  })
}

test('every article has its witnesses, and there are no others', () => {
  assert.deepEqual(readdirSync('constitutions/witnesses').sort(), constitution.clauses.map(({ id }) => id).sort())
})

for (const { id } of constitution.clauses) {
  test(`${id} is broken by one policy, with a request that Cedar confirms, and obeyed by one that permits something`, async () => {
    const broken = witness(id, 'refuted')
    const [refutation] = await prover.proveArticles(broken.policy, broken.schema, [broken.article])
    assert.equal(refutation?.answer.kind, 'refuted', JSON.stringify(refutation?.answer))

    const obedient = witness(id, 'satisfied')
    const [proof] = await prover.proveArticles(obedient.policy, obedient.schema, [obedient.article])
    assert.deepEqual(proof?.answer, { kind: 'proved' })
    const permits = await permitsSomething(obedient.policy, obedient.schema, about(obedient.article), prover.engines)
    assert.equal(permits.kind, 'yes', `${id}/satisfied.cedar permits nothing that the article is about`)
  })
}

test('the test can fail: a policy that permits nothing obeys, and is found to say nothing', async () => {
  const { schema, article } = witness('privacy.consent', 'satisfied')
  const silent = parsePolicies('', schema)
  const [proof] = await prover.proveArticles(silent, schema, [article])
  assert.equal(proof?.answer.kind, 'proved')
  assert.equal((await permitsSomething(silent, schema, about(article), prover.engines)).kind, 'no')
})
