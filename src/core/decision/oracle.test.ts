import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Environment, Schema } from '#core/policy/schema.ts'
import { pick, randomScene, seeded, type Random } from '#core/proof/random-world.ts'
import type { Scene } from '#core/proof/world.ts'
import { Failure } from '#core/failure.ts'
import { randomRules, randomSchemaText } from '#test/random-policy.ts'
import { activeRevision } from '#test/decision-service.ts'
import { answer, answerByCedar, type Question, type Reply } from './answer.ts'
import { EntityStore } from './entity-store.ts'
import { differences, repeat } from './oracle.ts'

const NOW = new Date('2026-11-28T00:00:00Z')

function activeOver(random: Random) {
  for (;;) {
    try {
      const text = randomSchemaText(random)
      const schema = parseSchema(text)
      const environment = pick(random, schema.environments)
      const cedar = renderRules(randomRules(schema, environment, random, { count: 1 + Math.floor(random() * 4) }))
      parsePolicies(cedar, schema)
      return { active: activeRevision('app', text, cedar), environment }
    } catch (error) {
      if (!(error instanceof Failure) || !['SCHEMA_INVALID', 'POLICY_INVALID'].includes(error.code)) throw error
    }
  }
}

/** A question about a scene, part of which it brings along itself, and the store without part of what there is. */
function asked(schema: Schema, environment: Environment, scene: Scene, random: Random) {
  const named = (type: string, id: string) => {
    const attrs = scene.entities.find(({ uid }) => uid.type === type && uid.id === id)?.attrs
    const type_ = schema.entityTypes.get(type)
    if (attrs === undefined || type_ === undefined || random() < 0.6) return { type, id }
    const optional = Object.entries(type_.shape.attributes).filter(([name, { required }]) => !required && !Object.hasOwn(attrs, name)).map(([name]) => [name, null])
    return { type, id, properties: { ...Object.fromEntries(Object.entries(attrs).filter(() => random() < 0.9)), ...Object.fromEntries(optional.filter(() => random() < 0.5)) } }
  }
  const question: Question = {
    subject: named(environment.principal, scene.principal), action: { name: environment.action },
    resource: named(environment.resource, scene.resource), context: scene.context,
  }
  const share = random() < 0.5 ? 1 : 0.8
  const wrong = (value: unknown): unknown => (random() < 0.02 ? { strange: true } : value)
  const stored = scene.entities.filter(() => random() < share).map((entity) => ({ ...entity, attrs: Object.fromEntries(Object.entries(entity.attrs).filter(() => random() < (share + 1) / 2).map(([name, value]) => [name, wrong(value)])) }))
  const entities = new EntityStore()
  entities.apply({ version: 1, isWhole: true, upserted: stored, deleted: [] })
  return { question, entities }
}

type Answers = (question: Question, ground: Parameters<typeof answer>[1]) => Reply

function compared(seed: number, places: number, answers: Answers) {
  const random = seeded(seed)
  const counts = { compared: 0, agreed: 0, allowed: 0, forbidden: 0, doubtful: 0, cedarAllows: 0, first: '' }
  for (let i = 0; i < places; i++) {
    const { active, environment } = activeOver(random)
    for (let j = 0; j < 12; j++) {
      const { question, entities } = asked(active.schema, environment, randomScene(active.schema, environment, random), random)
      const ground = { application: 'app', active, entities, now: () => NOW }
      let reply: Reply
      try {
        reply = answers(question, ground)
      } catch (error) {
        if (error instanceof Failure && error.code === 'REQUEST_MALFORMED') continue
        throw error
      }
      const repetition = repeat(question, ground, 'body')
      const cedar = authorize({ policies: active.policies, schema: null, request: repetition.slice.request, entities: repetition.slice.entities })
      const found = differences(reply, repetition, cedar, active)
      counts.compared++
      if (found.length === 0) counts.agreed++
      else counts.first ||= `${found.join('\n')}\n${active.schema.text}\n${active.policies.text}\n${JSON.stringify({ question, slice: repetition.slice })}`
      if (reply.decision) counts.allowed++
      if (reply.context.verdict === 'forbidden') counts.forbidden++
      if (reply.context.missing.length > 0) counts.doubtful++
      if (!reply.decision && cedar.decision === 'allow') counts.cedarAllows++
    }
  }
  return counts
}

test('over random schemas, rules, stores with holes and questions, the evaluator agrees with Cedar, what fails closed included', () => {
  const { compared: all, agreed, allowed, forbidden, doubtful, cedarAllows, first } = compared(21, 60, (question, ground) => answer(question, ground, 'body').reply)
  assert.equal(agreed, all, first)
  assert.ok(all > 400 && Math.min(allowed * 20, forbidden * 40, doubtful * 10, cedarAllows * 20) > all, `too much alike to show anything: ${JSON.stringify({ all, allowed, forbidden, doubtful, cedarAllows })}`)
})

test('the slow path’s own answers pass, too, where it is not in more doubt than the evaluator', () => {
  const { compared: all, agreed, first } = compared(22, 30, (question, ground) => {
    const { reply: slow } = answerByCedar(question, ground, authorize, 'body')
    return slow.context.verdict === 'error' ? answer(question, ground, 'body').reply : slow
  })
  assert.equal(agreed, all, first)
})

const flip = (reply: Reply): Reply => ({ decision: !reply.decision, context: { ...reply.context, verdict: reply.decision ? 'not_permitted' : 'permitted' } })
const SABOTAGED: { readonly [name: string]: (reply: Reply) => Reply } = {
  'an answer turned round': flip,
  'a yes for whatever Cedar allows, errors and missing entities aside': (reply) => (reply.context.verdict === 'error' ? { ...reply, decision: true, context: { ...reply.context, verdict: 'permitted' } } : reply),
  'a rule that is not named': (reply) => ({ ...reply, context: { ...reply.context, determining: reply.context.determining.slice(1) } }),
  'a no that claims a doubt which nobody has': (reply) => (reply.decision ? { ...reply, decision: false, context: { ...reply.context, verdict: 'error', determining: [], obligations: [] } } : reply),
  'an obligation that is dropped': (reply) => ({ ...reply, context: { ...reply.context, obligations: reply.context.obligations.length > 0 ? [] : ['made up'] } }),
}
for (const [name, sabotage] of Object.entries(SABOTAGED)) {
  test(`${name} is noticed`, () => {
    let changed = 0
    const { compared: all, agreed } = compared(23, 12, (question, ground) => {
      const { reply } = answer(question, ground, 'body')
      const other = sabotage(reply)
      if (JSON.stringify([other.decision, other.context]) !== JSON.stringify([reply.decision, reply.context])) changed++
      return other
    })
    assert.ok(changed > 5, String(changed))
    assert.equal(all - agreed, changed)
  })
}
