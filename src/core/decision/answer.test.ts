import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { Failure } from '#core/failure.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { answer as answerByEvaluator, answerByCedar, type Ground, type Question, type Reply } from './answer.ts'
import { DenseEvaluator } from './dense/dense-evaluator.ts'
import { EntityStore } from './entity-store.ts'

const SCHEMA = `
  namespace Bank {
    entity Team;
    entity Person in [Team] = { limit: Long, boss?: Person };
    entity Kind enum ["card", "wire"];
    entity Payment = { payer: Person, amount: Long, kind: Kind, note?: String };
    action any;
    action pay, "look up" in [any] appliesTo { principal: Person, resource: Payment, context: { approved?: Bool, @concept("now") at: datetime, region: String } };
    action audit appliesTo { principal: Team, resource: Payment, context: { @concept("now") at: Long } };
    action rest appliesTo { principal: Person, resource: Person };
  }
  namespace Shop { action audit appliesTo { principal: Bank::Team, resource: Bank::Payment }; }`
const schema = parseSchema(SCHEMA)
const RULES = `
  @id("pays") @obligation("log") permit(principal, action in Bank::Action::"any", resource) when { resource.payer == principal && resource.amount <= principal.limit };
  @id("team") permit(principal, action == Bank::Action::"pay", resource) when { resource.payer in Bank::Team::"all" };
  @id("wire") forbid(principal, action == Bank::Action::"pay", resource) when { resource.kind == Bank::Kind::"wire" && !(context has approved && context.approved) };`
const SENTENCES = new Map([['pays', 'People may pay up to their limit.'], ['wire', 'Nobody may pay by wire unless it is approved.']])

const person = (id: string, attrs: CedarEntity['attrs'], ...teams: string[]): CedarEntity => ({ uid: { type: 'Bank::Person', id }, attrs, parents: teams.map((team) => ({ type: 'Bank::Team', id: team })) })
const STORED: readonly CedarEntity[] = [
  person('ana', { limit: 100 }), person('bo', { limit: '9007199254740993' }, 'half'),
  { uid: { type: 'Bank::Team', id: 'half' }, attrs: {}, parents: [] },
  { uid: { type: 'Bank::Payment', id: 'p' }, attrs: { payer: { __entity: { type: 'Bank::Person', id: 'ana' } }, amount: 40, kind: { type: 'Bank::Kind', id: 'card' } }, parents: [] },
]

/** By the evaluator, and the same by its rules compiled. Cedar's engine answers the same, except that it may miss what a rule would have read otherwise. */
function answer(question: Question, ground: Ground): Reply {
  const { reply: cedar } = answerByCedar(question, ground, authorize, 'body')
  const { reply, text } = answerByEvaluator(question, ground, 'body')
  assert.deepEqual(JSON.parse(text), reply)
  const { active, entities } = ground
  if (active !== null) {
    const compiled = new DenseEvaluator(active.policies.rules, entities.readBy(active.schema))
    for (const _ of ['in words for the first time', 'again']) assert.deepEqual(answerByEvaluator(question, ground, 'body', compiled), { reply, text })
  }
  if (cedar.context.verdict !== 'error') assert.deepEqual(reply, cedar)
  else if (cedar.context.missing.length === 0) assert.deepEqual(reply.context.verdict, 'error')
  assert.deepEqual(reply.context.missing.filter((each) => !cedar.context.missing.includes(each)), [])
  return reply
}

function ask(question: Partial<Question>, { rules = RULES, stored = STORED, now = new Date('2026-11-24T10:00:00Z'), isActive = true } = {}) {
  const entities = new EntityStore()
  entities.apply({ version: 1, isWhole: true, upserted: stored, deleted: [] })
  const active = { application: 'bank', revision: 3, digest: '', policies: parsePolicies(rules, schema), schema, withdrawn: [], sentenceOf: SENTENCES }
  const whole = { subject: { type: 'Bank::Person', id: 'ana' }, action: { name: 'pay' }, resource: { type: 'Bank::Payment', id: 'p' }, context: { region: 'eu' }, ...question }
  return answer(whole, { application: 'bank', active: isActive ? active : null, entities, now: () => now })
}
const payment = (properties: { readonly [name: string]: unknown }) => ({ resource: { type: 'Bank::Payment', id: 'p', properties } })
function problemsOf(question: Partial<Question>): readonly string[] {
  try {
    ask(question)
  } catch (error) {
    assert.ok(error instanceof Failure && error.code === 'REQUEST_MALFORMED', String(error))
    return error.problems.map(({ place, message }) => `${place}: ${message}`)
  }
  return assert.fail('nothing was refused')
}

test('a yes and the three kinds of no name revision, rules and the sentences they came from', () => {
  assert.deepEqual(ask({}), {
    decision: true,
    context: {
      revision: 3, verdict: 'permitted', determining: [{ rule: 'pays', sentence: 'People may pay up to their limit.' }], obligations: ['log'], missing: [], ignored: [],
      reason_admin: { en: 'permitted by pays (“People may pay up to their limit.”)' }, reason_user: { en: 'This is allowed.' },
    },
  })
  const forbidden = ask(payment({ kind: { type: 'Bank::Kind', id: 'wire' } }))
  assert.deepEqual([forbidden.decision, forbidden.context.verdict, forbidden.context.determining], [false, 'forbidden', [{ rule: 'wire', sentence: SENTENCES.get('wire') }]])
  assert.match(forbidden.context.reason_admin.en, /wire \(“Nobody may pay by wire/)
  const unpermitted = ask(payment({ amount: 101 }))
  assert.deepEqual([unpermitted.decision, unpermitted.context.verdict, unpermitted.context.reason_admin.en], [false, 'not_permitted', 'no rule permits it'])
  const unknown = ask({ subject: { type: 'Bank::Person', id: 'eve' } })
  assert.deepEqual([unknown.decision, unknown.context.verdict, unknown.context.missing], [false, 'error', ['Bank::Person::"eve"']])
  assert.match(unknown.context.reason_admin.en, /^missing: Bank::Person::"eve"; store it/)
})

test('where nothing is active everything is denied, and the reason says so', () => {
  const { decision, context } = ask({ subject: { type: 'what', id: 'ever' } }, { isActive: false })
  assert.deepEqual([decision, context.revision, context.verdict], [false, null, 'not_permitted'])
  assert.match(context.reason_admin.en, /nothing is active for the application `bank`/)
})

test('properties go before what is stored, for one question; what nobody supplied and a rule reads is named', () => {
  assert.equal(ask(payment({ amount: 101 })).decision, false)
  assert.equal(ask({ ...payment({ amount: 101 }), subject: { type: 'Bank::Person', id: 'ana', properties: { limit: 101 } } }).decision, true)
  assert.equal(ask({}).decision, true)
  // The payer is the subject: what is said of the one is said of the other.
  const eve = { subject: { type: 'Bank::Person', id: 'eve', properties: { limit: 50 } }, ...payment({ payer: { type: 'Bank::Person', id: 'eve' } }) }
  const own = '@id("own") permit(principal, action == Bank::Action::"pay", resource) when { resource.payer == principal && resource.amount <= principal.limit };'
  assert.equal(ask(eve, { rules: own }).decision, true)
  // A rule asks which teams eve is in, and nobody knows: "none" would let her past a prohibition for a team.
  const barred = ask(eve, { rules: `${own} forbid(principal in Bank::Team::"half", action == Bank::Action::"pay", resource);` })
  assert.deepEqual([barred.decision, barred.context.verdict, barred.context.missing], [false, 'error', ['Bank::Person::"eve"']])
  const half = ask({ resource: { type: 'Bank::Payment', id: 'new', properties: { amount: 1, payer: { type: 'Bank::Person', id: 'ana' } } } })
  assert.deepEqual([half.decision, half.context.verdict, half.context.missing], [false, 'error', ['Bank::Payment::"new".kind']])
  // Whether the boss is known matters to no rule, nor does the region.
  assert.equal(ask({ subject: { type: 'Bank::Person', id: 'ana', properties: { boss: { type: 'Bank::Person', id: 'eve' } } }, context: {} }).decision, true)
  const inRegion = ask({ context: {} }, { rules: `${RULES} forbid(principal, action == Bank::Action::"pay", resource) when { context has region && context.region == "x" };` })
  assert.deepEqual([inRegion.decision, inRegion.context.missing], [false, ['context.region']])
})

test('an optional attribute of an unstored entity must be said: a value, or null for none', () => {
  const rules = `permit(principal, action == Bank::Action::"pay", resource); forbid(principal, action == Bank::Action::"pay", resource) when { resource has note };`
  const asked = (properties: { readonly [name: string]: unknown }, id = 'new') => {
    const { decision, context } = ask({ resource: { type: 'Bank::Payment', id, properties } }, { rules })
    return [decision, context.verdict, context.missing]
  }
  assert.deepEqual(asked({ amount: 1 }), [false, 'error', ['Bank::Payment::"new".note']])
  assert.deepEqual(asked({ amount: 1, note: null }), [true, 'permitted', []])
  assert.deepEqual(asked({ amount: 1, note: 'n' }), [false, 'forbidden', []])
  // Of a stored one it is known; null says that it has none for this question.
  assert.deepEqual(asked({ amount: 1 }, 'p'), [true, 'permitted', []])
  const noted = STORED.map((each) => (each.uid.id === 'p' ? { ...each, attrs: { ...each.attrs, note: 'n' } } : each))
  assert.equal(ask({}, { rules, stored: noted }).context.verdict, 'forbidden')
  assert.equal(ask(payment({ note: null }), { rules, stored: noted }).context.verdict, 'permitted')
  assert.match(problemsOf(payment({ amount: null })).join(), /body\.resource\.properties\.amount: is not an integer/)
})

test('a group that is not stored opens no prohibition on the groups above it', () => {
  const nested = parseSchema(SCHEMA.replace('entity Team;', 'entity Team in [Team];'))
  const rules = 'permit(principal, action == Bank::Action::"pay", resource); forbid(principal in Bank::Team::"all", action == Bank::Action::"pay", resource);'
  const team = (id: string, ...above: string[]): CedarEntity => ({ uid: { type: 'Bank::Team', id }, attrs: {}, parents: above.map((each) => ({ type: 'Bank::Team', id: each })) })
  const decided = (...teams: CedarEntity[]) => {
    const entities = new EntityStore()
    entities.apply({ version: 1, isWhole: true, upserted: [...STORED, person('cy', { limit: 1 }, 'one'), ...teams], deleted: [] })
    const active = { application: 'bank', revision: 3, digest: '', policies: parsePolicies(rules, nested), schema: nested, withdrawn: [], sentenceOf: new Map() }
    const { context } = answer({ subject: { type: 'Bank::Person', id: 'cy' }, action: { name: 'pay' }, resource: { type: 'Bank::Payment', id: 'p' }, context: {} }, { application: 'bank', active, entities, now: () => new Date() })
    return [context.verdict, context.missing]
  }
  assert.deepEqual(decided(team('one', 'two'), team('two', 'all'), team('all')), ['forbidden', []])
  assert.deepEqual(decided(team('one', 'two'), team('all')), ['error', ['Bank::Team::"two"']])
  assert.deepEqual(decided(team('all')), ['error', ['Bank::Team::"one"']])
  // That the question describes it says nothing of what it is in.
  const described = parseSchema(SCHEMA.replace('entity Team;', 'entity Team in [Team] = { size: Long };').replace('action rest appliesTo { principal: Person, resource: Person }', 'action join appliesTo { principal: Person, resource: Team }'))
  const entities = new EntityStore()
  entities.apply({ version: 1, isWhole: true, upserted: [person('cy', { limit: 1 }, 'one')], deleted: [] })
  const joins = parsePolicies('permit(principal, action, resource); forbid(principal in Bank::Team::"all", action, resource);', described)
  const active = { application: 'bank', revision: 3, digest: '', policies: joins, schema: described, withdrawn: [], sentenceOf: new Map() }
  const { context } = answer({ subject: { type: 'Bank::Person', id: 'cy' }, action: { name: 'join' }, resource: { type: 'Bank::Team', id: 'one', properties: { size: 1 } }, context: {} }, { application: 'bank', active, entities, now: () => new Date() })
  assert.deepEqual([context.verdict, context.missing], ['error', ['Bank::Team::"one"']])
})

test('what no rule could read is passed over and said', () => {
  const { decision, context } = ask({ context: { region: 'eu', ip: '::1' }, action: { name: 'pay', properties: { method: 'GET' } }, ...payment({ colour: 'red' }) })
  assert.deepEqual([decision, context.ignored], [true, ['body.context.ip', 'body.action.properties.method', 'body.resource.properties.colour']])
})

test('an action’s properties are attributes of the context, given once', () => {
  const wire = payment({ kind: { __entity: { type: 'Bank::Kind', id: 'wire' } } })
  assert.equal(ask({ ...wire, action: { name: 'pay', properties: { approved: true } } }).decision, true)
  assert.match(problemsOf({ action: { name: 'pay', properties: { approved: true } }, context: { approved: false } }).join(), /body\.action\.properties\.approved: is given in the context too/)
})

test('what the schema marks as now is the decision point’s own, and nobody else’s', () => {
  const rules = 'permit(principal, action == Bank::Action::"pay", resource) when { context.at < datetime("2026-11-24T10:00:01Z") && context.at >= datetime("2026-11-24T10:00:00Z") };'
  assert.equal(ask({}, { rules }).decision, true)
  assert.equal(ask({}, { rules, now: new Date('2026-11-24T10:00:01Z') }).decision, false)
  assert.match(problemsOf({ context: { at: '2020-01-01' } }).join(), /body\.context\.at: is filled in by the decision point/)
  assert.match(problemsOf({ action: { name: 'pay', properties: { at: '2020-01-01' } } }).join(), /body\.action\.properties\.at: is filled in/)
  const audit = { action: { name: 'Bank::Action::"audit"' }, subject: { type: 'Bank::Team', id: 'half' }, context: {} }
  assert.equal(ask(audit, { rules: `permit(principal, action == Bank::Action::"audit", resource) when { context.at == ${Date.parse('2026-11-24T10:00:00Z')} };` }).decision, true)
})

test('integers are exact to 64 bits, stored, in a property and in the context', () => {
  const amounts = (id: string, amount: unknown) => ask({ subject: { type: 'Bank::Person', id }, ...payment({ payer: { type: 'Bank::Person', id }, amount }) }).decision
  assert.deepEqual([amounts('bo', '9007199254740993'), amounts('bo', '9007199254740994'), amounts('bo', 9007199254740994n), amounts('bo', 9007199254740993n)], [true, false, false, true])
  assert.match(problemsOf(payment({ amount: '9223372036854775808' })).join(), /body\.resource\.properties\.amount: is not an integer of 64 bits/)
})

test('what the schema does not know is refused with what there is', () => {
  assert.match(problemsOf({ action: { name: 'fly' } }).join(), /body\.action\.name: `fly` is none of the actions: there are .*`pay`/)
  assert.match(problemsOf({ action: { name: 'any' } }).join(), /`any` is none of the actions/)
  assert.match(problemsOf({ action: { name: 'audit' } }).join(), /`audit` is the id of several actions: name one as `Bank::Action::"audit"`, `Shop::Action::"audit"`/)
  assert.equal(ask({ action: { name: 'Bank::Action::"look up"' } }).decision, true)
  assert.equal(ask({ action: { name: 'look up' } }).decision, true)
  assert.match(problemsOf({ subject: { type: 'Person', id: 'ana' } }).join(), /body\.subject\.type: `Person` is none of the types: .*`Bank::Person`/)
  assert.match(problemsOf({ subject: { type: 'Bank::Team', id: 'half' } }).join(), /body\.subject\.type: `Bank::Action::"pay"` is not asked of a `Bank::Team`: for it there are `Bank::Person`/)
  assert.deepEqual(problemsOf({ ...payment({ amount: 'much', kind: { type: 'Bank::Kind', id: 'cash' }, payer: 'ana' }), context: { approved: 'yes' } }).length, 4)
})

test('subject and resource that are one entity have one value for each attribute', () => {
  const self = (limit: number) => ({ action: { name: 'rest' }, context: {}, subject: { type: 'Bank::Person', id: 'ana', properties: { limit: 1 } }, resource: { type: 'Bank::Person', id: 'ana', properties: { limit } } })
  assert.equal(ask(self(1)).context.verdict, 'not_permitted')
  assert.match(problemsOf(self(2)).join(), /body\.resource\.properties\.limit: is another value than the subject has/)
})

test('a stored entity that does not fit the schema of the active revision denies, and is named', () => {
  const stored = [...STORED.slice(1), person('ana', { limit: 'much' })]
  const { decision, context } = ask({}, { stored })
  assert.deepEqual([decision, context.verdict], [false, 'error'])
  assert.match(context.reason_admin.en, /Bank::Person::"ana"\.limit is not an integer/)
  const misplaced: CedarEntity = { ...person('ana', { limit: 100 }), parents: [{ type: 'Bank::Payment', id: 'p' }] }
  assert.match(ask({}, { stored: [...STORED.slice(1), misplaced] }).context.reason_admin.en, /Bank::Person::"ana" is in Bank::Payment::"p", which its type cannot be in/)
})

test('an ancestor many levels up is found, and a store that goes round in circles ends', () => {
  const team = (id: string, ...above: string[]): CedarEntity => ({ uid: { type: 'Bank::Team', id }, attrs: {}, parents: above.map((each) => ({ type: 'Bank::Team', id: each })) })
  const nested = parseSchema(SCHEMA.replace('entity Team;', 'entity Team in [Team];'))
  const entities = new EntityStore()
  entities.apply({ version: 1, isWhole: true, upserted: [...STORED, person('ana', { limit: 0 }, 't0'), ...Array.from({ length: 50 }, (_, i) => team(`t${i}`, `t${i + 1}`)), team('t50', 'all', 't0'), team('all')], deleted: [] })
  const active = { application: 'bank', revision: 3, digest: '', policies: parsePolicies(RULES, nested), schema: nested, withdrawn: [], sentenceOf: new Map() }
  const { decision, context } = answer({ subject: { type: 'Bank::Person', id: 'ana' }, action: { name: 'pay' }, resource: { type: 'Bank::Payment', id: 'p' }, context: {} }, { application: 'bank', active, entities, now: () => new Date() })
  assert.deepEqual([decision, context.determining.map(({ rule }) => rule)], [true, ['team']])
})

test('what a rule reads is found behind a scope that only a group fits, and in the branch of a choice that is taken', () => {
  const subject = { type: 'Bank::Person', id: 'bo' }
  const missingFor = (rule: string) => ask({ subject, ...payment({ payer: { type: 'Bank::Person', id: 'eve' } }) }, { rules: `permit(principal, action, resource); ${rule}` }).context.missing
  assert.deepEqual(missingFor('forbid(principal in Bank::Team::"half", action == Bank::Action::"pay", resource) when { resource.payer has boss };'), ['Bank::Person::"eve"'])
  for (const [branches, missing] of [['then resource.payer else principal', ['Bank::Person::"eve"']], ['then principal else resource.payer', []]] as const) {
    assert.deepEqual(missingFor(`forbid(principal is Bank::Person, action == Bank::Action::"pay", resource) when { (if context.region == "eu" ${branches}) has boss };`), missing, branches)
  }
  assert.deepEqual(missingFor('forbid(principal is Bank::Person, action == Bank::Action::"pay", resource) when { { who: resource.payer }.who has boss };'), ['Bank::Person::"eve"'])
  assert.deepEqual(missingFor('forbid(principal is Bank::Team, action == Bank::Action::"audit", resource) when { resource.payer has boss };'), [])
})

test('a record of very many members is refused, and what is passed over is not repeated without end', () => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`unknown${at}`, 1]))
  assert.equal(ask({ context: { region: 'eu', ...many(100) } }).context.ignored.length, 20)
  assert.match(problemsOf({ context: many(60_000) })[0] ?? '', /60000 members/)
})
