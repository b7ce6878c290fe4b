import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import type { ArticleKind, BoundArticle } from '#core/constitution/article.ts'
import { bind } from '#core/constitution/bind.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { Failure } from '#core/failure.ts'
import type { Expression } from '#core/policy/expression.ts'
import type { Environment } from '#core/policy/schema.ts'
import { encodeStandalone, placeIn } from './encode.ts'
import { ground } from './ground.ts'
import type { Counterexample, Proof } from './proof.ts'
import {
  alwaysAllows, alwaysDenies, disjoint, implies, LIMITS, neverErrors, permitsSomething, proveArticles, proveEquivalent, type Engines, type Options,
} from './questions.ts'
import { emit } from './smtlib.ts'
import { Terms } from './terms.ts'

const reports: unknown[] = []
const prover = createProver({ ...LIMITS, disagreed: (report) => reports.push(report) })
const { engines } = prover
after(async () => {
  await prover[Symbol.asyncDispose]()
  // A lie is told on purpose in one test; nothing else may ever disagree.
  assert.deepEqual(reports, [])
})

const SCHEMA = parseSchema(`
entity Team in [Team];
entity Level enum ["low", "high"];
entity User in [Team] { n: Long, m: Long, admin: Bool, origin: String, faith?: String, level: Level, friends: Set<User> };
entity Doc in [Team] { owner: User, open: Bool, size: Long };
action view, edit appliesTo { principal: User, resource: Doc, context: { sum: Long } };
action audit appliesTo { principal: User, resource: User };
`)
const VIEW = { principal: 'User', action: 'Action::"view"', resource: 'Doc' }
const parse = (text: string) => parsePolicies(text, SCHEMA)

/** A condition as Cedar's parser reads it. */
function condition(text: string): Expression {
  const [rule] = parse(`permit (principal is User, action == Action::"view", resource is Doc) when { ${text} };`).rules
  return rule?.when[0] ?? { kind: 'bool', value: true }
}

function article(kind: ArticleKind, parts: { matches?: string; unless?: string; protected?: BoundArticle['protected']; obligation?: string; environments?: readonly Environment[] } = {}): BoundArticle {
  const matches = condition(parts.matches ?? 'true')
  const unless = parts.unless === undefined ? null : condition(parts.unless)
  return {
    article: { id: kind, principle: 'p', kind, text: '', hard: true, weight: 1 },
    environments: (parts.environments ?? [VIEW]).map((environment) => ({ environment, matches, unless })),
    protected: parts.protected ?? [],
    obligation: parts.obligation ?? null,
  }
}

async function judge(text: string, bound: BoundArticle, options: Options = {}, use: Engines = engines): Promise<Proof> {
  const [proof] = await proveArticles(parse(text), SCHEMA, [bound], use, options)
  return proof as Proof
}

function refuted({ answer }: Proof): Counterexample {
  assert.equal(answer.kind, 'refuted', JSON.stringify(answer))
  return (answer as { counterexample: Counterexample }).counterexample
}

test('never-permit: what is permitted against it is shown, what is not is proved', async () => {
  const secret = article('never-permit', { matches: '!resource.open', unless: 'resource.owner == principal' })
  const shown = refuted(await judge('permit (principal, action, resource) when { principal.admin };', secret))
  assert.equal(shown.action, 'Action::"view"')
  assert.equal(shown.principal, 'User::"user1"')
  assert.deepEqual(shown.context, { sum: 0 })
  const doc = shown.entities.find(({ uid }) => uid.type === 'Doc')
  assert.equal(doc?.attrs['open'], false)
  assert.notDeepEqual(doc?.attrs['owner'], { __entity: { type: 'User', id: 'user1' } })
  assert.equal(authorize({ policies: parse('permit (principal, action, resource) when { principal.admin };'), schema: SCHEMA, request: shown, entities: shown.entities }).decision, 'allow')

  const proof = await judge('permit (principal, action, resource) when { principal.admin }; forbid (principal, action == Action::"view", resource) unless { resource.open };', secret)
  assert.deepEqual(proof.answer, { kind: 'proved' })
  assert.deepEqual(proof.environments, [{ ...VIEW, answer: 'proved' }])
})

test('must-permit: what must be open and is not is shown', async () => {
  const own = article('must-permit', { matches: 'resource.owner == principal' })
  const shown = refuted(await judge('permit (principal, action, resource) when { principal.admin };', own))
  assert.deepEqual(shown.entities.find(({ uid }) => uid.type === 'Doc')?.attrs['owner'], { __entity: { type: 'User', id: 'user1' } })
  assert.equal((await judge('permit (principal, action, resource is Doc) when { resource.owner == principal };', own)).answer.kind, 'proved')
  // A rule that fails denies: the permit is not always there.
  refuted(await judge('permit (principal, action, resource is Doc) when { resource.owner == principal }; forbid (principal, action, resource) when { principal.n + 1 == 0 && false || principal.n + 1 == 1 && principal.n == 1 };', own))
})

test('must-record: a permit without the obligation is shown, even beside one that has it', async () => {
  const log = article('must-record', { obligation: 'log' })
  assert.equal((await judge('@obligation("log, notify") permit (principal, action, resource) when { principal.admin };', log)).answer.kind, 'proved')
  const shown = refuted(await judge('@obligation("log") permit (principal, action, resource) when { principal.admin }; permit (principal, action == Action::"view", resource) when { resource.open };', log))
  assert.equal(shown.entities.find(({ uid }) => uid.type === 'User')?.attrs['admin'], false)
  assert.equal((await judge('@obligation("log") permit (principal, action, resource); permit (principal, action == Action::"view", resource) when { resource.open };', log)).answer.kind, 'proved')
})

test('never-error: the integer that overflows is shown exactly, and a guard proves that none does', async () => {
  const shown = refuted(await judge('permit (principal, action, resource) when { principal.n + 1 > 0 };', article('never-error')))
  assert.equal(shown.entities.find(({ uid }) => uid.type === 'User')?.attrs['n'], '9223372036854775807')
  assert.equal((await judge('permit (principal, action, resource) when { principal.n < 1000 && principal.n + 1 > 0 };', article('never-error'))).answer.kind, 'proved')
})

test('independent-of: two worlds that differ only in what must not matter, decided differently', async () => {
  const origin = article('independent-of', { protected: [{ kind: 'attribute', type: 'User', path: ['origin'] }, { kind: 'attribute', type: 'User', path: ['faith'] }] })
  const shown = refuted(await judge('permit (principal, action, resource) when { principal.admin && principal.origin == "here" };', origin))
  const without = ({ entities, ...request }: Pick<Counterexample, 'entities'>) => ({ request, entities: entities.map(({ uid, attrs: { origin: _, faith: __, ...attrs }, parents }) => ({ uid, attrs, parents })) })
  assert.ok(shown.other !== undefined)
  const { other, ...first } = shown
  assert.notDeepEqual(first, other)
  assert.deepEqual(without(first), without(other))
  const hidden = refuted(await judge('permit (principal, action, resource is Doc) when { if resource.owner has faith then resource.owner.faith == "x" else false };', origin))
  assert.ok(hidden.other !== undefined)
  assert.equal((await judge('permit (principal, action, resource) when { principal.admin };', origin)).answer.kind, 'proved')
  // Mentioned, and yet without influence.
  assert.equal((await judge('permit (principal, action, resource) when { principal.origin == "a" || principal.origin != "a" };', origin)).answer.kind, 'proved')
})

test('independent-of: membership counts, also through a chain of groups', async () => {
  const teams = article('independent-of', { protected: [{ kind: 'membership', of: 'User', in: 'Team' }] })
  const shown = refuted(await judge('permit (principal, action, resource) when { principal in Team::"chosen" };', teams))
  const parentsOf = (scene: Pick<Counterexample, 'entities'>) => scene.entities.find(({ uid }) => uid.type === 'User' && uid.id === 'user1')?.parents
  assert.notDeepEqual(parentsOf(shown), parentsOf(shown.other ?? shown))
  refuted(await judge('permit (principal in Team::"chosen", action, resource);', teams))
  assert.equal((await judge('permit (principal, action, resource in Team::"chosen");', teams)).answer.kind, 'proved')
})

test('independent-of: a protected group is found behind groups, in records, in tags and in sets of records, and what is beside it is not', async () => {
  const schema = parseSchema(`
    entity Diocese; @concept("protected") entity Faith in [Diocese];
    entity User in [Faith] { profile: { faith: Faith, level: Long }, past: Set<{ faith: Faith, year: Long }> } tags Faith;
    entity Doc { level: Long }; action view appliesTo { principal: User, resource: Doc };`)
  const { bound } = bind(parseConstitution(readFileSync('constitutions/acgs.yaml', 'utf8')), schema)
  const fairness = bound.filter(({ article }) => article.id === 'fairness.protected-attributes')
  const judge = async (rule: string) => ((await proveArticles(parsePolicies(rule, schema), schema, fairness, engines))[0] as Proof)
  for (const rule of [
    'permit (principal in Diocese::"north", action, resource);',
    'permit (principal, action, resource) when { principal.profile.faith == Faith::"x" };',
    'permit (principal, action, resource) when { principal.hasTag("f") && principal.getTag("f") == Faith::"x" };',
    'permit (principal, action, resource) when { principal.hasTag("f") };',
    'permit (principal, action, resource) when { principal.past.contains({ faith: Faith::"x", year: 1 }) };',
  ]) {
    const { other, ...first } = refuted(await judge(rule))
    assert.notDeepEqual(first.entities, other?.entities, rule)
  }
  assert.equal((await judge('permit (principal, action, resource) when { principal.profile.level >= resource.level };')).answer.kind, 'proved')
})

test('what takes too many terms to say is unknown, by name and at once', async () => {
  const schema = parseSchema('entity G in [G]; entity User { n: Long, ss: Set<Set<Long>> }; entity Doc; action view appliesTo { principal: User, resource: Doc };')
  const many = (condition: (i: number) => string) => parsePolicies(`permit (principal, action, resource) when { ${Array.from({ length: 150 }, (_, i) => condition(i)).join(' || ')} };`, schema)
  for (const policy of [many((i) => `G::"${i}" in G::"${i + 1}"`), many((i) => `principal.ss.contains([principal.n, ${i}])`)]) {
    const { answer } = await alwaysDenies(policy, schema, engines)
    assert.ok(answer.kind === 'unknown' && /more than 200000 terms/.test(answer.reason), JSON.stringify(answer))
  }
})

test('equivalence is of decisions and of obligations', async () => {
  const equivalent = (a: string, b: string) => proveEquivalent(parse(a), parse(b), SCHEMA, engines)
  assert.equal((await equivalent('permit (principal, action, resource) when { principal.admin };', 'permit (principal, action, resource); forbid (principal, action, resource) unless { principal.admin };')).answer.kind, 'proved')
  refuted(await equivalent('permit (principal, action, resource);', '@obligation("log") permit (principal, action, resource);'))
  // Rules that fail deny: the second fails where the first does not look.
  refuted(await equivalent('permit (principal, action, resource) when { principal.admin || principal.n + 1 > 5 };', 'permit (principal, action, resource) when { principal.n + 1 > 5 || principal.admin };'))
  assert.equal((await equivalent('permit (principal, action, resource) when { principal in Team::"a" };', 'permit (principal in Team::"a", action, resource);')).answer.kind, 'proved')
})

test('what folds is written out as it was before, and a solver contradicts it by itself', async () => {
  const texts = new Map<string, string>()
  const told = createProver({ ...LIMITS, onScript: ({ question, environment, text }) => void texts.set(`${question} ${JSON.stringify(environment)}`, text) })
  await using _ = told
  const rules = [
    'permit (principal, action, resource) when { principal.admin && !principal.admin };', 'forbid (principal is User, action, resource); permit (principal, action, resource) when { principal.n > 3 };',
    'permit (principal == User::"a", action, resource) when { principal == User::"b" };', 'permit (principal, action, resource) when { 1 > 2 || (if false then true else principal.n < principal.n) };',
    'permit (principal, action, resource) when { principal.level == Level::"low" && principal.level == Level::"high" && principal.friends.contains(principal) };', 'permit (principal in Team::"a", action, resource) when { principal.origin == "x" && principal.origin == "y" };',
  ].map(parse)
  let folded = 0
  for (const policy of rules) {
    for (const ask of [() => alwaysDenies(policy, SCHEMA, told.engines), () => proveEquivalent(policy, policy, SCHEMA, told.engines), () => implies(policy, policy, SCHEMA, told.engines)]) {
      texts.clear()
      const { environments, basis } = await ask()
      folded += basis.folded
      const proved = environments.filter(({ answer }) => answer === 'proved').length
      const said = await engines.solve([...texts.values()].map((text) => ({ text, values: [] })), LIMITS)
      assert.equal(said.filter(({ kind }) => kind === 'unsat').length, proved, `${policy.text}: ${JSON.stringify(said)}`)
      for (const text of texts.values()) assert.doesNotMatch(text, /^\(assert false\)$/m, policy.text)
    }
  }
  assert.ok(folded > 20, String(folded))
})

test('what folds is written out without the rules that its environment excludes: they may read what is not there', async () => {
  const texts: string[] = []
  await using told = createProver({ ...LIMITS, onScript: ({ text }) => void texts.push(text) })
  const policy = parse('permit (principal, action == Action::"view", resource) when { resource.size > context.sum }; permit (principal, action == Action::"audit", resource) when { resource.n > 1 };')
  const { basis } = await proveEquivalent(policy, policy, SCHEMA, told.engines)
  assert.equal(basis.folded, texts.length)
  for (const text of texts) assert.doesNotMatch(text, /^; folded/m)
  assert.ok(texts.filter((text) => !text.includes('(assert false)')).length >= 2, texts.join())
})

test('integers beyond 2⁵³ stay apart', async () => {
  const shown = refuted(await proveEquivalent(parse('permit (principal, action, resource) when { principal.n == 9007199254740993 };'), parse('permit (principal, action, resource) when { principal.n == 9007199254740992 };'), SCHEMA, engines))
  assert.match(String(shown.entities.find(({ uid }) => uid.type === 'User')?.attrs['n']), /^900719925474099[23]$/)
})

test('overflow counts: x + 1 > x does not hold for every integer, though it does for every number', async () => {
  refuted(await alwaysAllows(parse('permit (principal, action, resource) when { principal.n + 1 > principal.n };'), SCHEMA, engines))
  // Sabotage: without the error term, the same question is answered with a wrong "proved".
  const terms = new Terms()
  const { value, err } = encodeStandalone(placeIn(terms, SCHEMA, VIEW), condition('principal.n + 1 > principal.n'), 'it')
  const ask = async (goal: typeof value) => (await engines.solve([{ text: emit(ground(terms, SCHEMA, goal)).text, values: [] }], LIMITS))[0]?.kind
  assert.equal(await ask(terms.not(value)), 'unsat')
  assert.equal(await ask(terms.or(terms.not(value), err)), 'sat')
})

test('a forbid that fails is an open door to Cedar and a closed one to the decision point', async () => {
  const text = 'permit (principal, action, resource); forbid (principal, action, resource) when { principal.n + 1 > 0 };'
  const open = article('never-permit', { matches: 'principal.n > 5' })
  assert.equal((await judge(text, open)).answer.kind, 'proved')
  const shown = refuted(await judge(text, open, { semantics: 'cedar' }))
  assert.equal(shown.entities.find(({ uid }) => uid.type === 'User')?.attrs['n'], '9223372036854775807')
})

test('implies, disjoint, always and never', async () => {
  const [narrow, wide, other] = ['permit (principal, action, resource) when { principal.n > 5 };', 'permit (principal, action, resource) when { principal.n > 4 };', 'permit (principal, action, resource) when { principal.n < 5 };'].map(parse) as [ReturnType<typeof parse>, ReturnType<typeof parse>, ReturnType<typeof parse>]
  assert.equal((await implies(narrow, wide, SCHEMA, engines)).answer.kind, 'proved')
  refuted(await implies(wide, narrow, SCHEMA, engines))
  assert.equal((await disjoint(narrow, other, SCHEMA, engines)).answer.kind, 'proved')
  refuted(await disjoint(narrow, wide, SCHEMA, engines))
  assert.equal((await alwaysDenies(parse(''), SCHEMA, engines)).answer.kind, 'proved')
  refuted(await alwaysDenies(narrow, SCHEMA, engines))
  assert.equal((await alwaysAllows(parse('permit (principal, action, resource);'), SCHEMA, engines)).answer.kind, 'proved')
  assert.equal((await neverErrors(wide, SCHEMA, engines)).answer.kind, 'proved')
  assert.equal((await alwaysDenies(parse('permit (principal, action == Action::"audit", resource);'), SCHEMA, engines, { only: { resource: 'Doc' } })).answer.kind, 'proved')
})

test('products of two attributes are decided or left unknown, never guessed', async () => {
  const { answer } = await neverErrors(parse('permit (principal, action, resource) when { principal.n * principal.m == 12 };'), SCHEMA, engines)
  assert.notEqual(answer.kind, 'proved')
})

test('whether an article’s requests are permitted at all is told with an example', async () => {
  const open = article('never-permit', { matches: 'resource.open' }).environments
  const yes = await permitsSomething(parse('permit (principal, action, resource) when { principal.admin };'), SCHEMA, open, engines)
  assert.equal(yes.kind === 'yes' && yes.example.entities.find(({ uid }) => uid.type === 'Doc')?.attrs['open'], true)
  assert.equal((await permitsSomething(parse('permit (principal, action == Action::"edit", resource);'), SCHEMA, open, engines)).kind, 'no')
})

test('an article that concerns no environment is not proved', async () => {
  assert.equal((await judge('permit (principal, action, resource);', article('never-permit', { environments: [] }))).answer.kind, 'unknown')
  assert.equal((await alwaysDenies(parse(''), SCHEMA, engines, { only: { action: 'Action::"none"' } })).answer.kind, 'unknown')
})

test('an unsupported construct makes unknown what it touches, and nothing else', async () => {
  // Each can hold with and without each other: together they have 2²⁰ states.
  const odd = [...'abcdefghijklmnopqrst'].map((letter) => `principal.origin like "*${letter}*"`).join(' && ')
  const text = `@id("odd") permit (principal, action == Action::"edit", resource) when { ${odd} };`
  const { answer, environments } = await alwaysDenies(parse(text), SCHEMA, engines)
  assert.match(answer.kind === 'unknown' ? answer.reason : '', /^unsupported: the question has 20 patterns of `like` that combine in more than 20000 states/)
  assert.deepEqual(environments.map(({ action, answer: kind }) => [action, kind]), [['Action::"audit"', 'proved'], ['Action::"edit"', 'unknown'], ['Action::"view"', 'proved']])
  // What is refuted elsewhere stays refuted.
  refuted(await alwaysDenies(parse(`${text} permit (principal, action == Action::"view", resource);`), SCHEMA, engines))
})

test('entities that rules name exist in every counterexample, also where the question has no use for them', async () => {
  const shown = refuted(await alwaysDenies(parse('permit (principal, action, resource) when { User::"boss".admin || !(principal in Team::"t") };'), SCHEMA, engines))
  const uids = shown.entities.map(({ uid }) => `${uid.type}::${uid.id}`)
  assert.ok(uids.includes('User::boss') && uids.includes('Team::t'), uids.join())
})

test('a question asked again, among others or alone, is answered in the same bytes', async () => {
  const policy = parse('permit (principal, action, resource) when { principal.admin && principal.origin == "a" && principal in Team::"x" };')
  const articles = [article('never-permit'), article('independent-of', { protected: [{ kind: 'attribute', type: 'User', path: ['origin'] }] }), article('never-error'), article('must-permit')]
  const together = await proveArticles(policy, SCHEMA, articles, engines)
  for (const [i, each] of articles.entries()) assert.deepEqual(await proveArticles(policy, SCHEMA, [each], engines), [together[i]])
  assert.equal(new Set(together.map(({ inputDigest }) => inputDigest)).size, articles.length)
  const other = await proveArticles(policy, SCHEMA, articles, engines, { semantics: 'cedar' })
  assert.ok(other.every(({ inputDigest }, i) => inputDigest !== together[i]?.inputDigest))
})

test('a record says what an answer rests on: folding, certificates that were checked, or the solver alone', async () => {
  const only = { action: 'Action::"view"' }
  const basisOf = async (text: string, use: Partial<Engines> = {}) => (await alwaysDenies(parse(text), SCHEMA, { ...engines, ...use }, { only })).basis
  const contradiction = 'permit (principal, action == Action::"view", resource) when { principal in Team::"a" && Team::"a" in Team::"b" && !(principal in Team::"b") };'
  const calculated = 'permit (principal, action == Action::"view", resource) when { principal.n + principal.m < principal.n && principal.m > 0 };'
  assert.deepEqual(await basisOf('forbid (principal, action, resource);'), { folded: 1, certified: 0, solver: 0, steps: 0, certificates: null })
  const certified = await basisOf(contradiction)
  assert.deepEqual({ ...certified, certificates: null }, { folded: 0, certified: 1, solver: 0, steps: certified.steps, certificates: null })
  assert.match(certified.certificates ?? '', /^[0-9a-f]{64}$/)
  assert.deepEqual(await basisOf(contradiction), certified)
  assert.notEqual((await basisOf(contradiction.replace('Team::"a" in Team::"b"', 'Team::"a" in Team::"c" && Team::"c" in Team::"b"'))).certificates, certified.certificates)
  assert.deepEqual(await basisOf(calculated), { folded: 0, certified: 0, solver: 1, steps: 0, certificates: null })
  assert.deepEqual(await basisOf(contradiction, { solve: async (asks) => asks.map(() => ({ kind: 'unknown', reason: 'timeout' })) }), { folded: 0, certified: 0, solver: 0, steps: 0, certificates: null })
})

test('sabotage: a solver that errs, dies or lies never makes a proof, nor a refutation', async () => {
  const lies: unknown[] = []
  const { sat: _, ...alone } = engines
  const withSolver = (solve: Engines['solve'], replay: Engines['replay'] = engines.replay): Engines => ({ ...alone, solve, replay, onDisagreement: (report) => lies.push(report) })
  const text = 'permit (principal, action == Action::"view", resource) when { principal.admin && resource.owner in principal.friends };'
  const reasonOf = async (use: Engines) => {
    const { answer } = await judge(text, article('never-permit'), {}, use)
    assert.equal(answer.kind, 'unknown')
    return answer.kind === 'unknown' ? answer.reason : ''
  }
  assert.match(await reasonOf(withSolver(async (asks) => asks.map(() => ({ kind: 'unknown', reason: 'solver failed: its thread ended' })))), /solver failed/)
  assert.match(await reasonOf(withSolver(async () => [])), /did not reply/)
  assert.match(await reasonOf(withSolver(async (asks) => asks.map(() => ({ kind: 'sat', values: '((f0 nonsense' })))), /could not be read/)
  // A model in which nobody is an admin is none of this goal.
  const mute = withSolver(async (asks, limits) => (await engines.solve(asks, limits)).map((reply) => (reply.kind === 'sat' ? { ...reply, values: reply.values.replaceAll('true', 'false') } : reply)))
  assert.match(await reasonOf(mute), /engines disagree/)
  assert.match(await reasonOf(withSolver(engines.solve, (question) => ({ ...engines.replay(question), decision: 'deny' }))), /engines disagree/)
  assert.match(await reasonOf(withSolver(engines.solve, (question) => ({ ...engines.replay(question), errors: [{ rule: 'policy0' }] }))), /engines disagree/)
  assert.match(await reasonOf(withSolver(engines.solve, () => { throw new Failure('REQUEST_MALFORMED', 'no such attribute') })), /Cedar refuses the counterexample: no such attribute/)
  assert.equal(lies.length, 4)
})

test('what one engine contradicts is proved only when its certificate holds and the other says so too', async () => {
  const lies: string[] = []
  const a = 'permit (principal, action == Action::"view", resource) when { principal.n > 3 && principal.n < 5 };'
  const b = 'permit (principal, action == Action::"view", resource) when { principal.n == 4 };'
  const asked = (use: Partial<Engines>, options: Options = {}) => proveEquivalent(parse(a), parse(b), SCHEMA, { ...engines, onDisagreement: ({ what }) => lies.push(what), ...use }, { only: { action: 'Action::"view"' }, ...options })
  const kindOf = async (...args: Parameters<typeof asked>) => (await asked(...args)).answer
  const { sat: ours, solve } = engines
  assert(ours !== undefined)
  assert.equal((await kindOf({})).kind, 'proved')
  // Each alone, where the other does not reach.
  let scripts = 0
  const counting: Engines['solve'] = (asks, limits) => ((scripts += asks.length), solve(asks, limits))
  assert.equal((await kindOf({ sat: () => ({ kind: 'inapplicable', reason: 'for this test' }), solve: counting })).kind, 'proved')
  assert.ok(scripts > 0)
  scripts = 0
  assert.equal((await kindOf({ solve: counting }, { agreement: 'either' })).kind, 'proved')
  assert.equal(scripts, 0)
  // One lies, or says nothing: never a yes.
  const noProof: Engines['sat'] = (assertions) => {
    const found = ours(assertions)
    return found.kind === 'unsat' ? { kind: 'unsat', certificate: { ...found.certificate, proof: new Int32Array() } } : found
  }
  const isForged = await kindOf({ sat: noProof }, { agreement: 'either' })
  assert.match(isForged.kind === 'unknown' ? isForged.reason : '', /certificate of a contradiction does not hold/)
  const claiming: Engines['solve'] = async (asks) => asks.map(() => ({ kind: 'sat', values: '()' }))
  const isDenied = await kindOf({ solve: claiming })
  assert.match(isDenied.kind === 'unknown' ? isDenied.reason : '', /one has a model of what the other contradicts/)
  assert.deepEqual(lies, ['the certificate of a contradiction does not hold', 'one has a model of what the other contradicts'])
  const mute: Engines['solve'] = async (asks) => asks.map(() => ({ kind: 'unknown', reason: 'timeout' }))
  const isMute = await kindOf({ solve: mute })
  assert.match(isMute.kind === 'unknown' ? isMute.reason : '', /timeout; the other engine proves it, and both must/)
  const wrong = 'permit (principal, action == Action::"view", resource) when { principal.n == 5 };'
  const unsat: Engines['solve'] = async (asks) => asks.map(() => ({ kind: 'unsat' }))
  const different = (use: Partial<Engines>) => proveEquivalent(parse(a), parse(wrong), SCHEMA, { ...engines, ...use }, { only: { action: 'Action::"view"' } })
  assert.equal((await different({ solve: unsat })).answer.kind, 'refuted') // By a model that Cedar confirms, whatever the solver says.
})
