import assert from 'node:assert/strict'
import { test } from 'node:test'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { obligations as obligationsOf, type PolicySet, type Rule } from '#core/policy/policy.ts'
import { renderExpression, renderRules } from '#core/policy/render.ts'
import { randomRules, randomSchemaText, validated } from '#test/random-policy.ts'
import { reworded } from '#core/injection/reword.ts'
import { importTwin } from '#test/twin.ts'
import { agreeingProver } from '#test/prover.ts'
import type { Condition } from './conditions.ts'
import { CONDITIONS_MAX, diff, OUT_OF_TIME, type Difference, type Part } from './diff.ts'
import { ask } from './differential.ts'
import { proveEquivalent, type Options } from './questions.ts'
import { pick, randomScene, seeded, WHOLE_POOL } from './random-world.ts'
import { probe } from './look.ts'

const SLOW = process.env['ACGS_SLOW'] === '1'
const prover = agreeingProver()

const SCHEMA = parseSchema(`
entity Group;
entity User in [Group] { n: Long, m: Long, role: String, admin: Bool, quota?: Long };
entity Doc { owner: User, open: Bool };
action view, edit appliesTo { principal: User, resource: Doc, context: { consent?: Bool } };
`)

const textOf = ({ when, failing }: Condition): string => [renderExpression(when), ...failing.map((each) => `cannot evaluate ${renderExpression(each)}`)].join('; ')

async function told(before: string, now: string, options: Options = {}): Promise<readonly string[]> {
  const difference = await diff(parsePolicies(before, SCHEMA), parsePolicies(now, SCHEMA), SCHEMA, prover.engines, options)
  assert.ok(difference.environments.every(({ parts }) => parts.every(({ open }) => open === null)))
  assert.equal(difference.isEquivalent, difference.environments.every(({ parts }) => parts.length === 0))
  return difference.environments.flatMap(({ environment: { action }, parts }) =>
    parts.flatMap(({ kind, obligation, conditions }) => conditions.map(({ condition }) => `${action} ${[kind, obligation].filter((each) => each !== null).join(' ')}: ${textOf(condition)}`)))
}

const OWN = 'permit (principal, action, resource) when { resource.owner == principal };'

test('who gains and who loses is said in the words of the rules, and only what is needed is said', async () => {
  assert.deepEqual(await told(OWN, `${OWN} permit (principal, action == Action::"view", resource) when { principal.role == "auditor" && principal.n > 3 };`), [
    'Action::"view" gains: principal.role == "auditor" && principal.n > 3 && resource.owner != principal',
  ])
  assert.deepEqual(await told(OWN, `${OWN} forbid (principal, action == Action::"edit", resource) when { principal has quota && principal.quota > 5 };`), [
    'Action::"edit" loses: principal has quota && principal.quota > 5 && resource.owner == principal',
  ])
  assert.deepEqual(await told('', 'permit (principal, action == Action::"view", resource);'), ['Action::"view" gains: true'])
  assert.deepEqual(await told(OWN, 'permit (principal, action, resource) unless { principal != resource.owner };'), [])
})

test('what a rule that fails denies is told as such, and Cedar alone would not deny it', async () => {
  const now = 'permit (principal, action, resource); forbid (principal, action == Action::"edit", resource) when { principal.n + principal.m > 3 };'
  const lost = ['Action::"edit" loses: principal.n + principal.m > 3', 'Action::"edit" loses: true; cannot evaluate principal.n + principal.m > 3']
  assert.deepEqual((await told('permit (principal, action, resource);', now)).toSorted(), lost)
  assert.deepEqual(await told('permit (principal, action, resource);', now, { semantics: 'cedar' }), lost.slice(0, 1))
})

test('other obligations are a difference too', async () => {
  const logged = '@obligation("log") permit (principal, action == Action::"view", resource) when { principal.admin };'
  const plain = 'permit (principal, action == Action::"view", resource) when { principal.admin };'
  assert.deepEqual(await told(plain, logged), ['Action::"view" demands log: principal.admin'])
  assert.deepEqual(await told(logged, plain), ['Action::"view" waives log: principal.admin'])
})

const views = (conditions: readonly string[], annotation = ''): string => conditions.map((each) => `${annotation} permit (principal, action == Action::"view", resource) when { ${each} };`).join('\n')
const many = (count: number, condition: (i: number) => string) => Array.from({ length: count }, (_, i) => condition(i))
async function onePart(before: string, now: string): Promise<Part> {
  const { environments } = await diff(parsePolicies(before, SCHEMA), parsePolicies(now, SCHEMA), SCHEMA, prover.engines)
  const parts = environments.flatMap((each) => each.parts)
  assert.equal(parts.length, 1)
  return parts[0] as Part
}

test('conditions that differ in a value are told as one, in which the values are listed', async () => {
  const roles = views(many(14, (i) => `principal.role == "r${i}" && principal.admin`))
  assert.deepEqual((await told('', roles)).map((each) => each.replace(/"r\d+"/g, '"r"')), [`Action::"view" gains: principal.admin && [${many(14, () => '"r"').join(', ')}].contains(principal.role)`])
  assert.deepEqual(await told('', views(['principal.role == "a"', 'principal.role == "b"'])).then((all) => all.toSorted()), ['Action::"view" gains: principal.role == "a"', 'Action::"view" gains: principal.role == "b"'])
  assert.deepEqual((await told('', views(many(3, (i) => `resource.owner == User::"u${i}"`)))).map((each) => each.replace(/u\d/g, 'u')), ['Action::"view" gains: [User::"u", User::"u", User::"u"].contains(resource.owner)'])
})

test('more conditions than a person reads are told as alternatives in one, and the list is whole all the same', async () => {
  const { conditions, open } = await onePart('', views(many(14, (i) => `principal.role like "r${i}-*"`)))
  assert.deepEqual([conditions.length, open, conditions.map(({ condition }) => textOf(condition).split(' || ').length)], [1, null, [14]])
  const few = await onePart('', views(many(5, (i) => `principal.role like "r${i}-*"`)))
  assert.deepEqual([few.conditions.length, few.open], [5, null])
})

test('a difference of too many conditions is one exact condition, or open with a request that none of them tells', async () => {
  const texts = many(CONDITIONS_MAX + 2, (i) => `principal.role like "r${i}-*"`)
  const whole = await onePart('', views(texts))
  assert.deepEqual([whole.conditions.length, whole.open, whole.uncovered], [1, null, null])
  assert.equal(whole.conditions.flatMap(({ condition }) => textOf(condition).split(' || ')).length, CONDITIONS_MAX + 2)
  const { conditions, open, uncovered } = await onePart(views(texts), views(texts, '@obligation("log")'))
  assert.deepEqual([conditions.length, open], [CONDITIONS_MAX, `more than ${CONDITIONS_MAX} conditions`])
  const of = (roles: readonly unknown[]) => new Set(roles.map((role) => /^r\d+-/.exec(String(role))?.[0]))
  const role = ({ entities, principal }: NonNullable<typeof uncovered>) => entities.find(({ uid }) => `User::"${uid.id}"` === principal)?.attrs['role']
  assert.ok(uncovered !== null && !of(conditions.map(({ witness }) => role(witness))).has([...of([role(uncovered)])][0]))
})

test('when the time is over, what was found by then stands, the rest is open, and that it differs is known as soon as one request is', async () => {
  const [before, now] = [parsePolicies('', SCHEMA), parsePolicies(views(['principal.admin', 'principal.n > 3', 'resource.open']), SCHEMA)]
  const within = (looks: number) => diff(before, now, SCHEMA, prover.engines, { goOn: async () => looks-- > 0 })
  const none = await within(0)
  assert.deepEqual([none.isEquivalent, new Set(none.environments.flatMap(({ parts }) => parts.map(({ open }) => open)))], [null, new Set([OUT_OF_TIME])])
  const sizes: number[] = []
  for (let looks = 1; ; looks++) {
    const { isEquivalent, environments } = await within(looks)
    const [part] = environments.flatMap(({ parts }) => parts)
    assert.ok(isEquivalent === false && part !== undefined)
    sizes.push(part.conditions.length)
    if (part.open === null) break
    assert.deepEqual([part.open, part.uncovered === null], [OUT_OF_TIME, false])
  }
  assert.deepEqual([sizes[0], sizes.at(-1), sizes], [0, 3, sizes.toSorted()])
})

test('what no engine answers is open and never equivalent', async () => {
  const mute = { ...prover.engines, solve: async (asks: readonly unknown[]) => asks.map(() => ({ kind: 'unknown', reason: 'resource limit' }) as const) }
  const { sat: _, ...alone } = mute
  const same = views(['principal.n > 3']), other = views(['!(principal.n <= 3) && (principal.admin || !principal.admin || principal.role == "x")', 'principal.n > principal.m && principal.m > 2'])
  const { isEquivalent, environments } = await diff(parsePolicies(same, SCHEMA), parsePolicies(other, SCHEMA), SCHEMA, alone)
  const parts = environments.flatMap((each) => each.parts)
  assert.ok(parts.length > 0)
  assert.deepEqual([isEquivalent, parts.flatMap(({ conditions }) => conditions), new Set(parts.map(({ open }) => open))], [null, [], new Set(['resource limit'])])
})

test('no difference exactly where policies are equivalent; the conditions hold exactly where Cedar decides otherwise, and are good Cedar', async () => {
  const random = seeded(41)
  const counts = { seed: 41, pairs: 0, equivalent: 0, differ: 0, parts: 0, conditions: 0, open: 0, attacked: 0, met: 0 }
  while (counts.pairs < (SLOW ? 600 : 60)) {
    const schema = parseSchema(randomSchemaText(random))
    const environment = pick(random, schema.environments)
    const a = validated(randomRules(schema, environment, random, { count: 3, depth: 1 }), schema)
    const other = (): readonly Rule[] => pick(random, [
      () => reworded((a as PolicySet).rules, random),
      () => (a as PolicySet).rules.slice(1),
      () => randomRules(schema, environment, random, { count: 2, depth: 1 }),
      () => (a as PolicySet).rules.map((rule): Rule => ({ ...rule, when: rule.when.slice(1), unless: rule.unless.slice(1) })),
      () => [...(a as PolicySet).rules, ...randomRules(schema, environment, random, { count: 1, depth: 1 }).map((rule) => ({ ...rule, id: 'more' }))],
    ])()
    const b = a === null ? null : validated(other(), schema)
    if (a === null || b === null) continue
    counts.pairs++
    const about = (): string => `${schema.text}\n${a.text}\n----\n${b.text}`
    const { isEquivalent, environments } = await diff(a, b, schema, prover.engines, { only: environment })
    const { answer } = await proveEquivalent(a, b, schema, prover.engines, { only: environment })
    assert.equal(isEquivalent, { proved: true, refuted: false, unknown: null }[answer.kind], about())
    counts[isEquivalent ? 'equivalent' : 'differ']++
    const parts = environments.flatMap((each) => each.parts)
    counts.parts += parts.length
    counts.open += parts.filter(({ open }) => open !== null).length
    for (const { condition } of parts.flatMap(({ conditions }) => conditions)) {
      counts.conditions++
      const only = { kind: 'eq', uid: schema.actions.get(environment.action)?.uid as { type: string; id: string } } as const
      const rule: Rule = { ...probe('c', condition.when), principal: { kind: 'is', type: environment.principal, in: null }, action: only, resource: { kind: 'is', type: environment.resource, in: null } }
      if (validated([rule], schema) === null) assert.fail(`${about()}\nnot good Cedar: ${renderRules([rule])}`)
    }
    const scenes = Array.from({ length: 20 }, () => randomScene(schema, environment, random, WHOLE_POOL))
    for (const scene of scenes) {
      const decide = (policy: PolicySet) => {
        const said = ask(schema, environment, policy, scene, authorize)
        const isAllowed = said.decision === 'allow' && said.erring.length === 0
        return { isAllowed, carries: policy.rules.filter(({ id }) => isAllowed && said.determining.includes(id)).flatMap(obligationsOf) }
      }
      const meets = ({ when, failing }: Condition): boolean => {
        const rules = [when, ...failing].map((each, i) => probe(String(i), each))
        const said = ask(schema, environment, { text: renderRules(rules), rules }, scene, authorize)
        return said.determining.includes('0') && failing.every((_, i) => said.erring.includes(String(i + 1)))
      }
      const [one, two] = [decide(a), decide(b)]
      const holds = ({ kind, obligation }: Pick<Part, 'kind' | 'obligation'>): boolean => {
        if (kind === 'gains') return two.isAllowed && !one.isAllowed
        if (kind === 'loses') return one.isAllowed && !two.isAllowed
        const [has, had] = [two.carries.includes(String(obligation)), one.carries.includes(String(obligation))]
        return one.isAllowed && two.isAllowed && (kind === 'demands' ? has && !had : had && !has)
      }
      for (const kind of ['gains', 'loses'] as const) if (holds({ kind, obligation: null })) assert.ok(parts.some((part) => part.kind === kind), about())
      for (const part of parts) {
        const isMet = part.conditions.some(({ condition }) => meets(condition))
        counts.attacked++
        if (isMet) counts.met++
        if (isMet || part.open === null) assert.equal(isMet, holds(part), `${part.kind}\n${about()}\n${JSON.stringify(scene)}\n${part.conditions.map(({ condition }) => textOf(condition)).join('\n')}`)
      }
    }
  }
  console.log(JSON.stringify(counts))
  assert.ok(counts.equivalent > 0 && counts.differ > counts.pairs / 4 && counts.met > counts.pairs, 'too one-sided to show anything')
})

const SLIPS = [
  { what: 'drops what is needed', file: 'diff.ts', from: "if (known?.kind === 'sat' || known?.kind === 'unsat') return known.kind === 'unsat'", to: 'return true', told: null },
  {
    what: 'takes a condition for needless that is not', file: 'diff.ts', from: 'if (await this.#excluded(place.terms.and(conditionTerm(place, each.condition), ...terms))) kept = rest', to: 'kept = rest',
    told: ['principal.admin', 'principal.role == "a"', 'principal.role == "b"', 'principal.role == "c"'],
  },
  {
    what: 'loses a value when it lists them', file: 'conditions-merged.ts', from: 'items: items.flatMap(valuesOf)', to: 'items: items.flatMap(valuesOf).slice(1)',
    told: ['principal.admin', 'principal.role == "a"', 'principal.role == "b"', 'principal.role == "c"'],
  },
] as const
for (const { what, file, from, to, told } of SLIPS) {
  test(`a search that ${what} is not believed: ${told === null ? 'what it finds is proved, and it says that it is open' : 'what is proved is told instead'}`, async () => {
    const twin = await importTwin<{ diff: typeof diff }>('src/core/proof/', ['diff.ts', 'conditions-merged.ts'], { file, from, to }, what)
    const [before, now] = [parsePolicies('', SCHEMA), parsePolicies(views(['principal.admin', ...['a', 'b', 'c'].map((role) => `principal.role == "${role}"`)]), SCHEMA)]
    const found: Difference = await twin.diff(before, now, SCHEMA, prover.engines)
    const parts = found.environments.flatMap((each) => each.parts)
    assert.ok(parts.length > 0)
    if (told === null) assert.ok(parts.every(({ open }) => open !== null), JSON.stringify(parts))
    else assert.deepEqual(parts.map(({ conditions, open }) => [conditions.map(({ condition }) => textOf(condition)).sort(), open]), [[told, null]])
  })
}
