import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { canonical } from '#core/canonical.ts'
import { Failure } from '#core/failure.ts'
import { findPrinciples, parseConstitution } from './constitution.ts'

const shipped = readFileSync('constitutions/acgs.yaml', 'utf8')

const small = `
title: Small
version: 1.0.0
principles:
  - id: privacy
    title: Privacy
    text: Data belong to people.
    weight: 2
    hard: true
    articles:
      - id: privacy.consent
        kind: never-permit
        text: Nobody discloses personal data without consent.
        when: { action: disclose, resource: personal-data }
        unless: [{ holds: consent }]
      - id: privacy.own
        kind: must-permit
        hard: false
        weight: 0.5
        text: Everyone may see their own data.
        when: { action: read, and: [{ principal-is: subject }] }
`

/** The problems of a text that must be refused, as `place: message`. */
function problemsOf(text: string): readonly string[] {
  try {
    parseConstitution(text)
  } catch (failure) {
    assert(failure instanceof Failure && failure.code === 'CONSTITUTION_INVALID', String(failure))
    return failure.problems.map(({ place, message }) => `${place}: ${message}`)
  }
  return assert.fail('it was read')
}

test('the shipped constitution has seven principles and an article of every kind', () => {
  const { principles, clauses } = parseConstitution(shipped)
  assert.deepEqual(principles.map(({ id }) => id), ['privacy', 'transparency', 'accountability', 'fairness', 'human-oversight', 'security', 'due-process'])
  assert.deepEqual([...new Set(clauses.map(({ kind }) => kind))].sort(), ['independent-of', 'must-permit', 'must-record', 'never-error', 'never-permit'])
  for (const { id } of principles) assert(clauses.some(({ principle }) => principle === id), `${id} has no article`)
})

test('a policy that is merely silent on what must be permitted still reaches the threshold', () => {
  const { clauses } = parseConstitution(shipped)
  const soft = clauses.filter(({ hard }) => !hard)
  const weight = (of: typeof clauses) => of.reduce((sum, clause) => sum + clause.weight, 0)
  assert(clauses.filter(({ kind }) => kind === 'must-permit').every(({ hard }) => !hard))
  assert(weight(soft) / weight(clauses) < 0.15)
})

test('an article takes hardness from its principle unless it says its own, and its weight is the product', () => {
  const [consent, own] = parseConstitution(small).clauses
  assert.deepEqual([consent?.hard, consent?.weight], [true, 2])
  assert.deepEqual([own?.hard, own?.weight], [false, 1])
})

test('comments and layout do not change the digest, every value does', () => {
  const { digest } = parseConstitution(small)
  assert.equal(parseConstitution(`# a comment\n${small.replaceAll('[{ holds: consent }]', '\n          - holds: consent')}`).digest, digest)
  for (const [from, to] of [['weight: 2', 'weight: 3'], ['version: 1.0.0', 'version: 1.0.1'], ['holds: consent', 'holds: assent'], ['people.', 'people'], ['hard: false', 'hard: true']] as const) {
    assert.notEqual(parseConstitution(small.replace(from, to)).digest, digest, to)
  }
})

test('the canonical document reads back as the same constitution', () => {
  const constitution = parseConstitution(shipped)
  assert.deepEqual(parseConstitution(canonical(constitution.document)), constitution)
})

test('every problem is named with its place, unknown keys first of all', () => {
  const found = problemsOf(small.replace('weight: 2', 'weight: 0').replace('hard: false', 'soft: true').replace('version: 1.0.0', 'version: one'))
  assert.deepEqual(found.map((problem) => problem.split(': ')[0]), ['principles[0].articles[1]', 'principles[0].weight', 'version'])
  assert.match(found[0] as string, /unknown key `soft`/)
})

test('a misspelt condition is refused and the conditions there are are listed', () => {
  const [problem] = problemsOf(small.replace('holds: consent', 'hold: consent'))
  assert.match(problem as string, /^principles\[0\]\.articles\[0\]\.unless\[0\]: not a condition: write one of `holds`/)
})

test('an article that matches every request by mistake is refused', () => {
  assert.match(problemsOf(small.replace('{ action: disclose, resource: personal-data }', '{}')).join(), /name at least one of principal, action, resource/)
})

test('names cannot be taken twice, nor stand under another principle', () => {
  assert.match(problemsOf(small.replace('privacy.own', 'privacy.consent')).join(), /two articles have this id/)
  assert.match(problemsOf(small.replace('privacy.own', 'liberty.own')).join(), /stands under principle `privacy`: name it `privacy.own`/)
})

test('a kind takes only the keys that mean something for it', () => {
  assert.match(problemsOf(small.replace('kind: never-permit', 'kind: never-error')).join(), /unknown key `when`/)
})

test('broken YAML, a repeated key, an alias and a tag are refused by line', () => {
  assert.match(problemsOf(`${small}\n  - [`).join(), /^line \d+ column \d+/)
  assert.match(problemsOf(small.replace('title: Small', 'title: Small\ntitle: Other')).join(), /^line 3 column 1: .*unique/i)
  assert.match(problemsOf(small.replace('title: Small', 'title: &a Small').replace('title: Privacy', 'title: *a')).join(), /alias/)
  assert.match(problemsOf(small.replace('title: Small', 'title: !!js/function Small')).join(), /^line 2/)
  assert.deepEqual(problemsOf(''), ['document: Invalid input: expected object, received null'])
})

test('principles are found by id or title, and an unknown one is refused with those there are', () => {
  const constitution = parseConstitution(shipped)
  assert.deepEqual(findPrinciples(constitution, ['Due process', 'privacy', 'PRIVACY', 'human_oversight']).map(({ id }) => id), ['privacy', 'human-oversight', 'due-process'])
  assert.throws(() => findPrinciples(constitution, ['privacy', 'honesty']), (failure: Failure) => failure.code === 'PRINCIPLE_UNKNOWN' && failure.message.includes('`honesty`') && failure.message.includes('`due-process`'))
})
