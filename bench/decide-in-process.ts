import { setImmediate as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { statefulIsAuthorized, preparsePolicySet } from '@cedar-policy/cedar-wasm/nodejs'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { compileRules, DenseEvaluator, type Question } from '#core/decision/dense/dense-evaluator.ts'
import { readContext } from '#core/decision/entity-graph.ts'
import { EntityStore } from '#core/decision/entity-store.ts'
import { EntityValue } from '#core/decision/value.ts'
import { uidText } from '#core/policy/policy.ts'
import { pick, seeded, type Random } from '#core/proof/random-world.ts'
import type { CedarEntity } from '#core/unit/semantic-unit.ts'
import { summarize, type Result } from './measure.ts'

const QUESTIONS = 10_000
const PASSES = 20
const COMPARED = 200
const FLAT_DECISIONS = 10_000_000

/**
 * Decisions in process: 10,000 questions, each of its own, over 10,000 entities and 80 environments. Names come as strings that JSON was parsed
 * into a moment before, so that nothing is known of them; contexts are read already. Each decision is timed alone, the timer included. Beside
 * cedar-wasm with the same rules parsed before and only the entities that one question needs, on the same questions: the answers must agree.
 */
export async function decideInProcess(): Promise<readonly Result[]> {
  const schema = parseSchema(SCHEMA)
  const entities = makeEntities()
  const byText = new Map(entities.map((entity) => [uidText(entity.uid), entity]))
  const results: Result[] = []
  for (const size of [10, 100, 1_000, 10_000]) {
    const { rules, text } = parsePolicies(makeRules(size), schema)
    const random = seeded(size)
    const asked = Array.from({ length: QUESTIONS }, () => ask(random, size))
    const contexts = asked.map(({ action, context }) => readContext(context, schema, action))
    const json = JSON.stringify(asked)
    const fresh = () => (JSON.parse(json) as typeof asked).map(({ principal, action, resource }, i): Question => ({ principal, action, resource, context: contexts[i] as Question['context'] }))

    const store = new EntityStore()
    let version = 0
    const apply = (isWhole: boolean, upserted: readonly CedarEntity[]) => store.apply({ version: ++version, isWhole, upserted, deleted: [] })
    const ready = elapsed(() => apply(true, entities))
    const compiled: number[] = []
    const pauses: number[] = []
    let engine = new DenseEvaluator([], store.readBy(schema))
    for (let i = 0; i < 5; i++) {
      const started = performance.now()
      let resumed = started
      engine = await compileRules(rules, schema, store, async () => {
        pauses.push(performance.now() - resumed)
        await pause()
        resumed = performance.now()
      })
      compiled.push(performance.now() - started)
    }
    const first = fresh()
    const cold = elapsed(() => { for (const question of first) engine.decide(question) })
    for (let pass = 0; pass < 10; pass++) for (const question of fresh()) engine.decide(question)

    const cedar = summarize('cedar-wasm', 'ns', askCedar(text, asked.slice(0, COMPARED), byText, engine, first))
    const doubts = engine.doubts
    const samples: number[] = []
    for (let pass = 0; pass < PASSES; pass++) {
      for (const question of fresh()) {
        const started = performance.now()
        engine.decide(question)
        samples.push((performance.now() - started) * 1e6)
      }
    }
    if (engine.doubts > doubts) throw new Error(`${engine.doubts - doubts} decisions were left to the general evaluator`)
    const served: number[] = []
    const texts = asked.map(({ principal, action, resource }) => JSON.stringify({ principal, action, resource }))
    for (let pass = 0; pass < PASSES; pass++) {
      for (const [i, one] of texts.entries()) {
        const { principal, action, resource } = JSON.parse(one) as Asked
        const question: Question = { principal, action, resource, context: contexts[i] as Question['context'] }
        const started = performance.now()
        engine.decide(question)
        served.push((performance.now() - started) * 1e6)
      }
    }
    const timer: number[] = []
    for (let i = 0; i < QUESTIONS * PASSES; i++) {
      const started = performance.now()
      timer.push((performance.now() - started) * 1e6)
    }
    const again: number[] = []
    for (let pass = 0; pass < PASSES; pass++) {
      for (const question of first) {
        const started = performance.now()
        engine.decide(question)
        again.push((performance.now() - started) * 1e6)
      }
    }
    const mean = elapsed(() => { for (let pass = 0; pass < PASSES; pass++) for (const question of first) engine.decide(question) }) * 1e6 / PASSES / QUESTIONS
    const updates = Array.from({ length: 2_000 }, (_, i) => {
      const { uid, ...rest } = entities[TEAMS + FOLDERS + (i * 7) % USERS] as CedarEntity
      const upserted = [{ uid, ...rest, attrs: { ...rest.attrs, level: i % 10 } }]
      return elapsed(() => apply(false, upserted)) * 1_000
    })
    results.push(
      summarize(`${size} rules, strings in`, 'ns', samples, cedar),
      summarize(`${size} rules, strings just parsed`, 'ns', served, cedar),
      summarize(`${size} rules, timer alone`, 'ns', timer),
      summarize(`${size} rules, strings met before`, 'ns', again, cedar),
      summarize(`${size} rules, mean without a timer`, 'ns', [mean]),
      summarize(`${size} rules, compiled for every environment`, 'ms', compiled),
      summarize(`${size} rules, compiled without a pause`, 'ms', pauses),
      summarize(`${size} rules, ${entities.length} entities ready`, 'ms', [ready]),
      summarize(`${size} rules, first ${QUESTIONS} decisions together`, 'ms', [cold]),
      summarize(`${size} rules, an entity updated`, 'µs', updates),
    )
    if (size === 1_000) {
      const grown = memoryGrown(engine, first)
      results.push(summarize(`${size} rules, heap grown over ${FLAT_DECISIONS} decisions`, 'MB', [grown]))
    }
  }
  return results
}

function elapsed(work: () => void): number {
  const started = performance.now()
  work()
  return performance.now() - started
}

function memoryGrown(engine: DenseEvaluator, questions: readonly Question[]): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const used = () => {
    collect()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  const before = used()
  for (let i = 0; i < FLAT_DECISIONS; i++) engine.decide(questions[i % questions.length] as Question)
  return (used() - before) / 1e6
}

/** Nanoseconds of each question; what it says must be what the engine says. */
function askCedar(policies: string, asked: readonly Asked[], byText: ReadonlyMap<string, CedarEntity>, engine: DenseEvaluator, questions: readonly Question[]): readonly number[] {
  const parsed = preparsePolicySet('bench', { staticPolicies: policies })
  if (parsed.type !== 'success') throw new Error(JSON.stringify(parsed.errors))
  return asked.map(({ principal, action, resource, context }, i) => {
    const call = { principal, action, resource, context, preparsedPolicySetId: 'bench', entities: sliceOf([principal, resource], byText) } as unknown as Parameters<typeof statefulIsAuthorized>[0]
    const started = performance.now()
    const answer = statefulIsAuthorized(call)
    const ns = (performance.now() - started) * 1e6
    const ours = engine.decide(questions[i] as Question)
    if (answer.type !== 'success' || answer.response.decision !== ours.decision || ours.verdict === 'error') throw new Error(`${JSON.stringify(answer)}, and here ${JSON.stringify(ours)}`)
    if (answer.response.diagnostics.reason.length !== ours.determining.length) throw new Error(`determined by ${JSON.stringify(answer.response.diagnostics.reason)}, and here by ${JSON.stringify(ours.determining)}`)
    return ns
  })
}

function sliceOf(uids: readonly CedarEntity['uid'][], byText: ReadonlyMap<string, CedarEntity>): readonly CedarEntity[] {
  const found = new Map<string, CedarEntity>()
  const open = uids.map(uidText)
  for (let text = open.pop(); text !== undefined; text = open.pop()) {
    const entity = byText.get(text)
    if (entity === undefined || found.has(text)) continue
    found.set(text, entity)
    open.push(...entity.parents.map(uidText))
  }
  return [...found.values()]
}

const [USERS, SERVICES, TEAMS, FOLDERS, DOCUMENTS, DATASETS] = [4_000, 1_000, 500, 500, 3_000, 1_000]
const ACTIONS = 20
const DEPARTMENTS = ['research', 'sales', 'legal', 'finance', 'people', 'operations', 'security', 'support']
const TAGS = Array.from({ length: 24 }, (_, i) => `tag${i}`)

const ACCOUNT = '{ department: String, level: Long, active: Bool }'
const FILE = '{ owner: User, department: String, sensitivity: Long, path: String, labels: Set<String>, archived: Bool }'
const SCHEMA = `entity Team in [Team]; entity Folder in [Folder];
  entity User in [Team] ${ACCOUNT}; entity Service in [Team] ${ACCOUNT};
  entity Document in [Folder] ${FILE}; entity Dataset in [Folder] ${FILE};
  ${Array.from({ length: ACTIONS }, (_, i) => `action act${i} appliesTo { principal: [User, Service], resource: [Document, Dataset], context: { amount: Long, mfa: Bool } };`).join('\n')}`

type Asked = { readonly principal: CedarEntity['uid']; readonly action: CedarEntity['uid']; readonly resource: CedarEntity['uid']; readonly context: { readonly amount: number; readonly mfa: boolean } }

function ask(random: Random, rules: number): Asked {
  const below = (n: number) => Math.floor(random() * n)
  return {
    principal: random() < 0.8 ? { type: 'User', id: `user-${below(USERS)}` } : { type: 'Service', id: `service-${below(SERVICES)}` },
    action: { type: 'Action', id: `act${below(actionsFor(rules))}` },
    resource: random() < 0.75 ? { type: 'Document', id: `document-${below(DOCUMENTS)}` } : { type: 'Dataset', id: `dataset-${below(DATASETS)}` },
    context: { amount: below(1_000), mfa: random() < 0.7 },
  }
}

/** Few rules are about few actions: no question is about one that no rule names. */
function actionsFor(rules: number): number {
  return Math.min(ACTIONS, Math.ceil(rules / 10))
}

function makeEntities(): readonly CedarEntity[] {
  const random = seeded(7)
  const below = (n: number) => Math.floor(random() * n)
  const uid = (type: string, id: string) => ({ type, id })
  const nested = (type: string, name: string, count: number) => Array.from({ length: count }, (_, i): CedarEntity => ({ uid: uid(type, `${name}-${i}`), attrs: {}, parents: i === 0 ? [] : [uid(type, `${name}-${Math.floor((i - 1) / 8)}`)] }))
  const account = (type: string, name: string, count: number) => Array.from({ length: count }, (_, i): CedarEntity => ({
    uid: uid(type, `${name}-${i}`), parents: [uid('Team', `team-${below(TEAMS)}`)], attrs: { department: pick(random, DEPARTMENTS), level: below(10), active: random() < 0.95 },
  }))
  const file = (type: string, name: string, count: number) => Array.from({ length: count }, (_, i): CedarEntity => ({
    uid: uid(type, `${name}-${i}`), parents: [uid('Folder', `folder-${below(FOLDERS)}`)],
    attrs: {
      owner: { __entity: uid('User', `user-${below(USERS)}`) }, department: pick(random, DEPARTMENTS), sensitivity: below(10), path: `/${pick(random, DEPARTMENTS)}/${below(50)}/${i}`,
      labels: TAGS.filter(() => random() < 0.1), archived: random() < 0.05,
    },
  }))
  return [...nested('Team', 'team', TEAMS), ...nested('Folder', 'folder', FOLDERS), ...account('User', 'user', USERS), ...account('Service', 'service', SERVICES), ...file('Document', 'document', DOCUMENTS), ...file('Dataset', 'dataset', DATASETS)]
}

/**
 * Of ten rules five grant a team a folder; the others look at attributes of one or both, and most of them are limited to a team or a folder: to the
 * large ones on top where rules are few, to ever smaller ones where they are many.
 */
function makeRules(count: number): string {
  const random = seeded(count + 1)
  const below = (n: number) => Math.floor(random() * n)
  return Array.from({ length: count }, (_, i) => {
    const action = `action == Action::"act${Math.floor(i / 10) % actionsFor(count)}"`
    const reach = Math.min(TEAMS, 8 + Math.floor(count / 40))
    const [team, folder] = [`principal in Team::"team-${below(reach)}"`, `resource in Folder::"folder-${below(reach)}"`]
    switch (i % 10) {
      case 0: return `permit(principal is User, ${action}, ${folder}) when { principal.department == resource.department && principal.level >= resource.sensitivity };`
      case 1: return `permit(${team}, ${action}, resource) when { resource.path like "/${pick(random, DEPARTMENTS)}/${below(50)}/*" };`
      case 2: return `permit(${team}, ${action}, resource) when { resource.labels.contains("${pick(random, TAGS)}") && principal.level > ${below(8)} };`
      case 3: return `forbid(principal, ${action}, ${folder}) when { resource.archived || context.amount > ${900 + below(100)} } unless { principal.level > 8 || context.mfa };`
      case 4: return i < 100 ? `permit(principal, ${action}, resource is Document) when { resource.owner == principal };` : `permit(principal == User::"user-${below(USERS)}", ${action}, resource == Document::"document-${below(DOCUMENTS)}") when { context.amount < ${below(1_000)} };`
      default: return `permit(${team}, ${action}, ${folder}) when { principal.active };`
    }
  }).join('\n')
}
