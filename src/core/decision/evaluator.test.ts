import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorize, parseSchema, parseUnvalidated } from '#adapters/cedar/cedar.ts'
import { Failure } from '#core/failure.ts'
import { uidText, type PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import { ask, type Said } from '#core/proof/differential.ts'
import { pick, randomScene, seeded } from '#core/proof/random-world.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { randomRules, randomSchemaText } from '#test/random-policy.ts'
import { randomQuestions, type RandomRequest } from '#test/random-questions.ts'
import { importTwin, type Sabotage } from '#test/twin.ts'
import { readContext, readEntities } from './entity-graph.ts'
import { Evaluator } from './evaluator.ts'
import type { Request } from './situation.ts'
import { EntityValue } from './value.ts'

const EVALUATIONS = Number(process.env['ACGS_TRUTH'] ?? 2_000)
const SEED = Number(process.env['ACGS_SEED'] ?? 20_261_128)
const PER_SET = 5

const { rawJSON } = JSON as unknown as { readonly rawJSON: (digits: string) => unknown }

/** Bigints as the very integers, for Cedar's binding. */
function exact<T>(json: T): T {
  if (typeof json === 'bigint') return rawJSON(String(json)) as T
  if (typeof json !== 'object' || json === null) return json
  return (Array.isArray(json) ? json.map(exact) : Object.fromEntries(Object.entries(json).map(([name, value]) => [name, exact(value)]))) as T
}

type Asked = { readonly policies: PolicySet; readonly entities: readonly CedarEntity[]; readonly requests: readonly { readonly request: RandomRequest; readonly want: Said }[] }

/** Random questions with Cedar's own answers. */
function askCedar(seed: number, evaluations: number): readonly Asked[] {
  const random = seeded(seed)
  return Array.from({ length: Math.ceil(evaluations / PER_SET) }, () => {
    const { rules, entities, requests } = randomQuestions(random, PER_SET)
    const policies = parseUnvalidated(renderRules(rules))
    const given = exact(entities)
    const answers = requests.map((request) => {
      const { principal, action, resource, context } = request
      const { decision, determining, errors } = authorize({
        policies, schema: null, entities: given,
        request: { principal: uidText(principal), action: uidText(action), resource: uidText(resource), context: exact(context) },
      })
      return { request, want: { decision, determining: determining.toSorted(), erring: errors.map(({ rule }) => rule).sort() } }
    })
    return { policies, entities, requests: answers }
  })
}

/** What random questions meet too seldom; each is a rule of its own, so that one answer of Cedar's tells of all. */
const DIRECTED = [
  '9223372036854775807 + 1 == 0', '-9223372036854775808 - 1 == 0', '4611686018427387904 * 2 == 0', '-(-9223372036854775808) == 0', '9007199254740993 * 1 == 9007199254740993',
  '9007199254740991 + 2 == 9007199254740993', '3037000500 * 3037000499 == 9223372033963249500', '94906267 * 94906267 == 9007199515875289', '94906267 * 94906267 == 9007199515875288', '-9223372036854775808 < 0',
  '9007199254740993 > 9007199254740992', '[9007199254740993].contains(9007199254740993)', '[9007199254740993].contains(9007199254740992)', '1 * -1 * 0 == 0', '[0].contains(0 * -1)',
  'false && 1 == (2 + true)', 'false && 7', 'true && 7', '7 && false', 'true || 7', 'false || 7', '7 || true', '!7', 'if 7 then true else true', 'if true then true else 7', '7', '-true == 1', '1 + "a" == 1', '1 < "a"', '"a" < "b"', 'true < false',
  '1 == "1"', '1 == true', 'principal == "a"', '[1] == 1', '{} == []', 'decimal("1.0") == 1', 'datetime("1970-01-01") == duration("0ms")', 'ip("::1") == "::1"',
  'User::"no" has a', 'User::"no".a == 1', 'User::"no".hasTag("a")', 'User::"no".getTag("a") == 1', 'User::"no" in Group::"g"', 'User::"no" in User::"no"', 'principal.hasTag("blue")', 'principal.getTag("blue") == 7', 'principal.getTag("red") == 7', 'principal.hasTag(7)', '7.hasTag("a")',
  'principal has name', 'principal has nothing', '7 has a', 'principal.nothing == 1', '7.a == 1', '{a: 1}.b == 1', '{a: 1} has b', '{a: {b: 1}} has a.b', '{a: {b: 1}} has a.c', '{a: 1} has a.c',
  'principal in Group::"g"', 'principal in Group::"h"', 'principal in Group::"top"', 'principal in [Group::"x", Group::"top"]', 'principal in []', 'principal in [User::"a", 7]', 'principal in [7]', 'principal in 7', '7 in principal', 'principal in principal', 'Group::"g" in principal', 'Group::"gone" in Group::"top"',
  'principal is User', 'principal is Group', '7 is User', 'principal is User in Group::"top"', 'principal is Group in 7', 'principal is User in 7', 'principal is User in [Group::"h", Group::"top"]',
  '[1, 1, 2] == [2, 1]', '[1, 2] == [1]', '[1] == [1, 2]', '[[1], [2]] == [[2], [1], [1]]', '[{a: 1}].contains({a: 1})', '[{a: 1}].contains({a: 1, b: 2})', '{a: 1, b: 2} == {b: 2, a: 1}', '{a: 1} == {a: 1, b: 2}', '{a: 1, b: 2} == {a: 1}', '[decimal("1.0")].contains(decimal("1.00"))',
  '[ip("10.0.0.1")].contains(ip("10.0.0.1/32"))', '[principal].contains(User::"a")', '[principal].contains("User::\\"a\\"")', '["l1;"].contains(1)', '[].isEmpty()', '[[]].isEmpty()', '7.isEmpty()', '[1, 2].containsAll([])', '[1].containsAny([])', '[1, 2].containsAll([2, 2])', '[1].containsAll([2])', '[1].containsAny(7)', '7.contains(7)',
  '"abab" like "ab*ab"', '"aba" like "ab*ba"', '"abba" like "ab*ba"', '"" like ""', '"" like "*"', '"" like "**"', '"a" like ""', '"a*b" like "a\\*b"', '"axb" like "a\\*b"', '"abcabcabcabd" like "*abcabcabd"', '"abcabcabcabdx" like "*abcabcabcabd*x"', '"abcabcabcabcabdx" like "*abcabcabcabd*x"', '"a😀b" like "a*b"', '"aXbXc" like "a*b*c"', '"ac" like "a*b*c"', '"ab" like "a*b*b"', '7 like "*"',
  'ip("127.0.0.1").isLoopback()', 'ip("127.0.0.0/7").isLoopback()', 'ip("::1/127").isLoopback()', 'ip("224.0.0.0/3").isMulticast()', 'ip("239.0.0.0/8").isMulticast()', 'ip("ff00::/7").isMulticast()', 'ip("10.0.0.0/8").isInRange(ip("10.0.0.0/16"))', 'ip("10.0.0.0/16").isInRange(ip("10.0.0.0/8"))', 'ip("11.0.0.0").isInRange(ip("10.0.0.0/8"))', 'ip("9.9.9.9").isInRange(ip("10.0.0.0/8"))', 'ip("255.255.255.255").isInRange(ip("0.0.0.0/0"))', 'ip("1.2.3.4").isInRange(ip("::/0"))', 'ip("2001:db8::1").isInRange(ip("2001:db8::/32"))', 'ip("10.0.0.1/8") == ip("10.0.0.0/8")', 'ip("10.0.0.1").isIpv4()', 'ip("::").isIpv6()', 'ip(7)', 'ip("a")', '"::1".isIpv6()', 'ip("::1", "::1")', 'ip(principal.name).isIpv4()',
  'decimal("1.0").lessThan(decimal("1.0001"))', 'decimal("1.0").lessThanOrEqual(decimal("1.0"))', 'decimal("-0.5").greaterThan(decimal("-0.4"))', 'decimal("1.0").greaterThanOrEqual(decimal("1.0"))', 'decimal("1.0").lessThan(1)', 'decimal("1.0") < decimal("2.0")', 'decimal("922337203685477.5808") == decimal("0.0")', 'decimal("-922337203685477.5808").lessThan(decimal("0.0"))', 'decimal("000000000000000000000000000000000000000000001.5") == decimal("1.5")',
  'datetime("1969-12-31T23:00:00Z").toDate() == datetime("1969-12-31")', 'datetime("1969-12-31T23:00:00Z").toTime() == duration("23h")', 'datetime("2024-01-01T10:00:00+0100") == datetime("2024-01-01T09:00:00Z")', 'datetime("2024-03-01").durationSince(datetime("2024-02-28")) == duration("2d")', 'datetime("1970-01-01") < datetime("1970-01-02")', 'datetime("1970-01-01") < duration("1d")', 'duration("1d") <= duration("24h")', 'duration("-90s").toMinutes() == -1', 'duration("-9223372036854775808ms").toDays() == -106751991167', 'duration("9223372036854775807ms").toSeconds() == 9223372036854775',
  'datetime("1970-01-01").offset(duration("-9223372036854775808ms")).toDate() == datetime("1970-01-01")', 'datetime("1970-01-01").offset(duration("9223372036854775807ms")).offset(duration("1ms")) == datetime("1970-01-01")', 'datetime("1970-01-01").offset(duration("-1ms")).durationSince(datetime("1970-01-01")) == duration("-1ms")', 'datetime("1970-01-01").offset(duration("-9223372036854775808ms")).toTime() == duration("16h12m55s808ms").offset(duration("0ms"))', 'datetime("1970-01-01").offset(duration("-9223372036854775808ms")).toTime().toMilliseconds() == 60424192',
]

function askDirected(): Asked {
  const policies = parseUnvalidated(DIRECTED.map((expression) => `permit(principal, action, resource) when { ${expression} };`).join('\n'))
  const uid = (type: string, id: string) => ({ type, id })
  const entities: readonly CedarEntity[] = [
    { uid: uid('User', 'a'), attrs: { name: '::1' }, parents: [uid('Group', 'g')], tags: { blue: 7 } },
    { uid: uid('Group', 'g'), attrs: {}, parents: [uid('Group', 'gone'), uid('Group', 'mid')] },
    { uid: uid('Group', 'mid'), attrs: {}, parents: [uid('Group', 'top')] },
  ]
  const request: RandomRequest = { principal: uid('User', 'a'), action: uid('Action', 'view'), resource: uid('User', 'a'), context: {} }
  const { decision, determining, errors } = authorize({ policies, schema: null, entities, request: { principal: 'User::"a"', action: 'Action::"view"', resource: 'User::"a"', context: {} } })
  return { policies, entities, requests: [{ request, want: { decision, determining: determining.toSorted(), erring: errors.map(({ rule }) => rule).sort() } }] }
}

type Engine = { readonly Evaluator: typeof Evaluator; readonly readEntities: typeof readEntities; readonly readContext: typeof readContext; readonly EntityValue: typeof EntityValue }
const engine: Engine = { Evaluator, readEntities, readContext, EntityValue }

/** The first question that an engine answers otherwise than Cedar; null when there is none. */
function firstDifference(asked: readonly Asked[], { Evaluator, readEntities, readContext, EntityValue }: Engine): unknown {
  for (const { policies, entities, requests } of asked) {
    const evaluator = new Evaluator(policies.rules)
    const store = readEntities(entities, null)
    const name = ({ type, id }: { type: string; id: string }) => new EntityValue(type, id)
    for (const { request: { principal, action, resource, context }, want } of requests) {
      const request: Request = { principal: name(principal), action: name(action), resource: name(resource), context: readContext(context, null, action) }
      const { decision, determining, errors } = evaluator.evaluate(request, store)
      const got: Said = { decision, determining: determining.toSorted(), erring: errors.map(({ rule }) => rule).sort() }
      if (JSON.stringify(got) !== JSON.stringify(want)) return { policies: policies.text, entities, request: { principal, action, resource, context }, want, got, errors }
    }
  }
  return null
}

const directed = askDirected()
const random = askCedar(SEED, EVALUATIONS)
const asked = [directed, ...random]

test(`the evaluator answers as Cedar does where it is easily mistaken: ${DIRECTED.length} expressions`, () => {
  const difference = firstDifference([directed], engine)
  assert.equal(difference, null, JSON.stringify(difference, null, 1))
})

test(`whatever a policy says, the evaluator answers as Cedar does: ${EVALUATIONS} evaluations without a schema, seed ${SEED}`, (t) => {
  const answers = random.flatMap(({ requests }) => requests.map(({ want }) => want))
  const count = (is: (said: Said) => boolean) => answers.filter(is).length
  t.diagnostic(JSON.stringify({ seed: SEED, evaluations: answers.length, allowed: count(({ decision }) => decision === 'allow'), forbidden: count(({ decision, determining }) => decision === 'deny' && determining.length > 0), erring: count(({ erring }) => erring.length > 0) }))
  const difference = firstDifference(random, engine)
  assert.equal(difference, null, JSON.stringify(difference, (_key, value) => (typeof value === 'bigint' ? `${value}n` : value), 1))
  // A comparison of nothing but errors, or of nothing but denials, would say little.
  for (const part of [count(({ decision }) => decision === 'allow'), count(({ erring }) => erring.length > 0), count(({ erring }) => erring.length === 0)]) assert.ok(part > answers.length / 20)
})

test(`entities and contexts read by a schema decide as they do in Cedar: ${EVALUATIONS} evaluations, seed ${SEED}`, (t) => {
  const random = seeded(SEED)
  const counts = { seed: SEED, evaluations: 0, allowed: 0, erring: 0 }
  while (counts.evaluations < EVALUATIONS) {
    const schema = parseSchema(randomSchemaText(random))
    const environment = pick(random, schema.environments)
    const policies = parseUnvalidated(renderRules(randomRules(schema, environment, random, { count: 1 + Math.floor(random() * 4), carelessness: 0.3 })))
    const evaluator = new Evaluator(policies.rules)
    const action = schema.actions.get(environment.action)?.uid
    assert.ok(action !== undefined)
    for (let i = 0; i < 8; i++) {
      const whole = randomScene(schema, environment, random)
      const scene = { ...whole, entities: whole.entities.filter(() => random() < 0.9) }
      const want = ask(schema, environment, policies, scene, (question) => authorize(question))
      const request: Request = {
        principal: new EntityValue(environment.principal, scene.principal), action: new EntityValue(action.type, action.id), resource: new EntityValue(environment.resource, scene.resource),
        context: readContext(scene.context, schema, action),
      }
      const { decision, determining, errors } = evaluator.evaluate(request, readEntities(scene.entities, schema))
      assert.deepEqual({ decision, determining: determining.toSorted(), erring: errors.map(({ rule }) => rule).sort() }, want, `${schema.text}\n${policies.text}\n${JSON.stringify({ environment, scene }, null, 1)}`)
      counts.evaluations++
      if (decision === 'allow') counts.allowed++
      if (errors.length > 0) counts.erring++
    }
  }
  t.diagnostic(JSON.stringify(counts))
})

const TWINS: { readonly [name: string]: Sabotage } = {
  'integers that leave 64 bits are taken': { file: 'long.ts', from: 'if (integer < LONG_MIN || integer > LONG_MAX) return null', to: '' },
  'numbers beyond 2^53 stay numbers': { file: 'long.ts', from: 'if (Number.isSafeInteger(product)) return product', to: 'return product' },
  'and looks at its right side in any case': { file: 'compile-expression.ts', from: 'if (one === false) return false', to: 'if (one === false) { const other = right(situation); return other instanceof EvaluationError ? other : false }' },
  'or looks at its right side in any case': { file: 'compile-expression.ts', from: 'if (one === true) return true', to: 'if (one === true) { const other = right(situation); return other instanceof EvaluationError ? other : true }' },
  'has of a missing entity is an error': { file: 'compile-expression.ts', from: 'if (entity === undefined) return false', to: 'if (entity === undefined) return new EvaluationError("entity", "missing")' },
  'a missing attribute is an error of nobody': { file: 'evaluator.ts', from: 'if (outcome instanceof EvaluationError)', to: 'if (outcome instanceof EvaluationError && outcome.kind === "attribute") continue\n      if (outcome instanceof EvaluationError)' },
  'equality of different types is an error': { file: 'compile-expression.ts', from: 'other instanceof EvaluationError ? other : equals(one, other)', to: 'other instanceof EvaluationError ? other : typeof one === typeof other ? equals(one, other) : new EvaluationError("type", "")' },
  'in overlooks what else is in a set': { file: 'compile-expression.ts', from: "return entities === null ? notA('entity', above.items.find((item) => !(item instanceof EntityValue)) ?? above) :", to: 'return entities === null ? false :' },
  'the hierarchy is not transitive': { file: 'entity-graph.ts', from: 'for (const each of above?.ancestors ?? []) ancestors.add(each)', to: '' },
  'a set is equal to what contains it': { file: 'value.ts', from: 'this.items.length === other.items.length && this.hasAll(other)', to: 'other.hasAll(this)' },
  'a record is equal to a longer one': { file: 'value.ts', from: '|| this.fields.size !== other.fields.size', to: '' },
  'a pattern may use a letter twice': { file: 'like.ts', from: 'return (text) => text.length >= fixed && text', to: 'return (text) => text' },
  'a range ends nowhere': { file: 'extension/ip.ts', from: '&& this.last <= other.last', to: '' },
  'days before 1970 are rounded up': { file: 'long.ts', from: 'return rest < 0 ? rest + unit : rest + 0', to: 'return rest' },
  'durations have no sign': { file: 'extension/datetime.ts', from: "const sign = match[1] ?? ''", to: "const sign = ''" },
  'a permit wins over a prohibition': { file: 'evaluator.ts', from: 'permits !== null && forbids === null', to: 'permits !== null' },
  'the group in a scope is forgotten': { file: 'evaluator.ts', from: 'situation.isIn(subject(situation), group)', to: 'true' },
  'a scope looks at ids alone': { file: 'evaluator.ts', from: "scope.kind === 'eq' ? scope.uid.type === type : ", to: '' },
  'an unless is a when': { file: 'evaluator.ts', from: 'condition(compileExpression(body), false)', to: 'condition(compileExpression(body), true)' },
}

/** Entities that are no longer read are a difference too. */
function isCaught(twin: Engine): boolean {
  try {
    return firstDifference(asked, twin) !== null
  } catch (error) {
    if (error instanceof Failure) return true
    throw error
  }
}

for (const [name, sabotage] of Object.entries(TWINS)) {
  test(`the sabotage twin is caught: ${name}`, async () => {
    const twin = await importTwin<Engine>('src/core/decision/', ['evaluator.ts', 'entity-graph.ts', 'value.ts'], sabotage, name)
    assert.ok(isCaught(twin))
  })
}
