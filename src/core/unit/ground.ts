import { canonical } from '#core/canonical.ts'
import { FALSE, TRUE, type Expression, type Uid } from '#core/policy/expression.ts'
import type { Action, Environment, Schema } from '#core/policy/schema.ts'
import { conditionTest, sayAtom } from './ground-conditions.ts'
import { meet, NEUTRAL, nounsIn, nounTest, ofTest, oneOf, sayNoun, settle, taking, Unclear, want, type Notes, type Scope, type Side } from './ground-phrases.ts'
import { isDirected, runsAgainst } from './ground-directions.ts'
import { booleans, conjunction, disjunction, enumerated, guarded, isFalse, isTrue, negation, worldsOf } from './ground-things.ts'
import { isFarFetched, saidNearer, spelledOut } from './ground-ellipses.ts'
import { lexiconOf, says, type Lexicon, type Phrase } from './lexicon.ts'
import { identifierWords, isAkin, isForm } from './morphology.ts'
import { SENSES_MAX, type Modality, type Norm } from './norm.ts'
import type { Atom, Condition, Deed, Modifier, Noun, Statement, Tail } from './statement.ts'

/** A norm without its number and source. */
export type Meaning = Omit<Norm, 'id' | 'sentence' | 'source'>

export type Grounded =
  | { readonly kind: 'norms'; readonly norms: readonly Meaning[] }
  /** `because` says what was not understood and, when we know, how to say it. `isOpen`: all of it was, in more than one way; `senses`: in which, where all are known. */
  | { readonly kind: 'unread'; readonly because: string; readonly isOpen?: true; readonly senses?: readonly (readonly Meaning[])[] }

/**
 * What a statement means over a schema: norms whose conditions type-check in every request environment that they touch.
 * `docs/concepts/reading.md` is the specification; both readers say with a Statement what the words are, and only this
 * function says what that means.
 *
 * A statement is asked about every environment; a part of it that says nothing in any makes it unread, with the reason.
 */
export function groundStatement(statement: Statement, schema: Schema): Grounded {
  const known = grounded.get(schema) ?? new Map<string, Grounded>()
  grounded.set(schema, known)
  const key = canonical(statement)
  const before = known.get(key)
  if (before !== undefined) return before
  // Parts are told apart by identity, and a reader may have put one into two places.
  const found = groundOne(copy(statement), schema)
  const made: Grounded = found instanceof Unclear ? open(statement, schema, found)
    : typeof found === 'string' ? { kind: 'unread', because: found }
    : { kind: 'norms', norms: found }
  if (known.size >= REMEMBERED_MAX) known.clear()
  known.set(key, made)
  return made
}

/** "May only view archived documents": what else must not be done, with them (`deed`) or at all (`all`). */
function narrowedByOnly(statement: Statement, schema: Schema): Meaning[] | string | Unclear {
  const permitted = attempt({ ...statement, only: statement.only === 'deed' ? null : 'condition' }, schema)
  if (!Array.isArray(permitted)) return permitted
  if (statement.only === 'deed') {
    const others = otherDeeds(permitted, schema)
    return others.length === 0 ? 'nothing else can be done with it' : [...permitted, ...others]
  }
  const lexicon = lexiconOf(schema)
  const bare = (noun: Noun): Noun => ({ words: typeWords(noun.words, lexicon), quoted: null, other: false, modifiers: [] })
  const elsewhere = attempt({ ...statement, only: 'condition', deeds: statement.deeds.map((deed) => ({ ...deed, object: deed.object.map(bare) })) }, schema)
  if (!Array.isArray(elsewhere)) return elsewhere
  const others = elsewhere.filter(({ modality }) => modality === 'forbid')
  return others.length === 0 ? 'nothing else can be done at all' : [...permitted, ...others]
}

/** The words of a noun that name its type; its last word where none do. */
function typeWords(words: Phrase, lexicon: Lexicon): Phrase {
  return words.map((_, start) => words.slice(start)).find((part) => lexicon.types(part).length > 0) ?? words.slice(-1)
}

/** Prohibitions of everything but what is permitted, on the same things; none where what is permitted depends on the call. */
function otherDeeds(permitted: readonly Meaning[], schema: Schema): readonly Meaning[] {
  const isPermitted = (environment: Environment, of: Meaning) => of.actions.some(({ id, type }) => id === schema.actions.get(environment.action)?.uid.id && type === schema.actions.get(environment.action)?.uid.type)
  return permitted.flatMap((one) => {
    if (asksCall(one.when) || asksCall(one.unless)) return []
    const concerns = ({ principal, resource }: Environment) => (one.principals.length === 0 || one.principals.includes(principal)) && (one.resources.length === 0 || one.resources.includes(resource))
    const others = schema.environments.filter((environment) => concerns(environment) && !permitted.some((other) => isPermitted(environment, other)))
    return boxes(others, schema.environments).map((box): Meaning => ({ ...one, modality: 'forbid', principals: box.principals, actions: box.actions.map((key) => (schema.actions.get(key) as Action).uid), resources: box.resources }))
  })
}

function asksCall(part: unknown): boolean {
  if (typeof part !== 'object' || part === null) return false
  return ('kind' in part && part.kind === 'var' && 'name' in part && part.name === 'context') || Object.values(part).some(asksCall)
}

/** So often a statement is read again to find out what it can mean. */
const READINGS_MAX = 24

/** A statement whose words can be several things: with everything that it then means, where that is known. */
function open(statement: Statement, schema: Schema, first: Unclear): Grounded & { readonly kind: 'unread' } {
  const unread = { kind: 'unread', because: first.message, isOpen: true } as const
  const found = new Map<string, readonly Meaning[]>()
  const left: { readonly choices: ReadonlyMap<string, number>; readonly at: Unclear }[] = [{ choices: new Map(), at: first }]
  let readings = 0
  for (let each = left.shift(); each !== undefined; each = left.shift()) {
    const { choices, at } = each
    // Of what cannot be chosen the author has to say more.
    if (at.ways === 0 || choices.has(at.message)) return unread
    for (let way = 0; way < at.ways; way++) {
      if (++readings > READINGS_MAX) return unread
      const next = new Map(choices).set(at.message, way)
      const made = taking(next, () => groundOne(copy(statement), schema))
      // What the words could mean and the schema cannot carry, the author may have meant all the same; so where two choices come to one meaning.
      if (typeof made === 'string') return unread
      if (made instanceof Unclear) left.push({ choices: next, at: made })
      else if (found.has(canonical(made))) return unread
      else found.set(canonical(made), made)
    }
  }
  return found.size < 2 || found.size > SENSES_MAX ? unread : { ...unread, senses: [...found.values()] }
}

/** What statements mean together: unread when one of them is, with every way to understand them where those of each are known. */
export function together(statements: readonly Grounded[]): Grounded {
  const closed = statements.find((each) => each.kind === 'unread' && each.senses === undefined)
  if (closed !== undefined) return closed
  const open = statements.find((each) => each.kind === 'unread')
  if (open?.kind !== 'unread') return { kind: 'norms', norms: statements.flatMap((each) => (each.kind === 'norms' ? each.norms : [])) }
  const ways = statements.map((each) => (each.kind === 'norms' ? [each.norms] : each.senses ?? []))
  const { senses: _, ...unread } = open
  if (ways.reduce((product, { length }) => product * length, 1) > SENSES_MAX) return unread
  return { ...unread, senses: ways.reduce<readonly (readonly Meaning[])[]>((made, senses) => made.flatMap((each) => senses.map((norms) => [...each, ...norms])), [[]]) }
}

/** What the readers say alike is grounded once; a readers' structures of one sentence are at most some dozens. */
const REMEMBERED_MAX = 200
const grounded = new WeakMap<Schema, Map<string, Grounded>>()

/**
 * The first of some quoted texts that no norm carries as an id, a value or part of a duty; null when each is somewhere. What a text
 * quotes is there to be meant.
 */
export function unplaced(quotes: readonly string[], norms: readonly Meaning[]): string | null {
  const said = (text: string) => identifierWords(text).join(' ') || text.trim()
  const placed = new Set(norms.flatMap((norm) => [...literals(norm.when), ...literals(norm.unless)]).map(said))
  const duties = norms.map(({ obligation }) => ` ${said(obligation ?? '')} `)
  return quotes.find((quote) => !placed.has(said(quote)) && !duties.some((duty) => duty.includes(` ${said(quote)} `))) ?? null
}

/** Every id and text in an expression. */
function literals(part: unknown): string[] {
  if (typeof part !== 'object' || part === null) return []
  const { kind, value, uid } = part as { kind?: unknown; value?: unknown; uid?: Uid }
  const own = kind === 'string' ? [String(value)] : kind === 'entity' && uid !== undefined ? [uid.id] : []
  return [...own, ...Object.values(part).flatMap(literals)]
}

function copy<T>(part: T): T {
  if (Array.isArray(part)) return part.map(copy) as T
  if (typeof part !== 'object' || part === null) return part
  return Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, copy(inner)])) as T
}

/** One norm that a statement makes in one environment; `slot` tells its norms apart. */
type Piece = { readonly environment: Environment; readonly slot: string; readonly modality: Modality; readonly when: Expression; readonly unless: Expression; readonly obligation: string | null }

function groundOne(statement: Statement, schema: Schema): Meaning[] | string | Unclear {
  if (statement.deeds.length === 0) return 'it does not say what is done'
  if (statement.only !== null && statement.force !== 'permit') return '`only` beside a prohibition can mean two things: say who may, or who must not'
  if (statement.only === 'deed' || statement.only === 'all') return narrowedByOnly(statement, schema)
  if (statement.force === 'require' && statement.requirement !== null) {
    const required = attempt({ ...statement, duty: null }, schema)
    if (Array.isArray(required) || statement.duty === null) return required
    // Both places hold the same words; where they do not, a word of the one would be lost with it.
    const said = statement.requirement.kind === 'is' ? statement.requirement.words : []
    if (bare(said).join(' ') !== bare(statement.duty).join(' ')) return required
  }
  const obligations = statement.force === 'require' || statement.force === 'oblige' ? obligationsOf(statement.duty ?? []) : null
  if (obligations === null && statement.force !== 'permit' && statement.force !== 'forbid') {
    return `\`${(statement.duty ?? []).join(' ')}\` is neither an attribute of the schema nor a duty: the duties are ${[...DUTIES.keys()].join(', ')}`
  }
  return attempt(obligations === null ? statement : { ...statement, force: 'oblige', requirement: null, duty: obligations }, schema)
}

function attempt(said: Statement, schema: Schema): Meaning[] | string | Unclear {
  if (isFarFetched(said)) return '`their own` is of the noun before it'
  // "Docs in folders they own": where folders can be owned, that is what is said.
  const nearer = saidNearer(said, lexiconOf(schema))
  if (nearer !== null && typeof attempt(nearer, schema) !== 'string') return 'what stands behind two nouns is said of the nearer'
  try {
    const statement = copy(spelledOut(said, lexiconOf(schema), (type) => schema.environments.some(({ principal }) => principal === type)))
    const round = (settled: Notes['settled']) => {
      const notes: Notes = { open: new Map(), met: new Set(), vain: new Map(), found: new Map(), settled }
      const heard: Heard[] = []
      const pieces = worldsOf(schema).flatMap((world) => {
        const own: Notes = { ...notes, open: new Map(), met: new Set() }
        const made = piecesOf(statement, { world, statement, here: [], notes: own })
        for (const [part, reason] of own.open) if (!notes.open.has(part)) notes.open.set(part, reason)
        for (const part of own.met) notes.met.add(part)
        if (made.length > 0) heard.push({ asked: new Set(own.open.keys()), met: own.met })
        return made
      })
      return { notes, pieces, heard }
    }
    const first = round(new Map())
    const settled = settle(first.notes)
    const { notes, pieces, heard } = settled.size === 0 ? first : round(sides(settled))
    // A noun is unmet as well when something said of it is: the innermost is the reason.
    const unmet = [...notes.open].filter(([part]) => !notes.met.has(part)).map(([, reason]) => reason)
    const reason = unmet.sort((a, b) => b.depth - a.depth)[0]
    if (reason !== undefined) return reason.because
    refuseUneven(statement, heard, notes)
    const vain = vainOf(statement, notes)
    if (vain !== null) return `${sayAtom(vain)} holds of every request that is meant: leave it out, or say what else is meant`
    const drafts = gather(pieces, statement, schema)
    return drafts.length > 0 ? drafts : 'no request that the schema allows is concerned'
  } catch (error) {
    if (error instanceof Unclear) return error
    throw error
  }
}

/** What one request environment was asked, and what of it it can carry. */
type Heard = { readonly asked: ReadonlySet<object>; readonly met: ReadonlySet<object> }

/**
 * "Customer records and access logs … unless archived", where a log is never archived: the sentence says one thing of both, and means
 * something else by each. Of a single noun ("anyone who is on duty") those who cannot be are simply not meant.
 *
 * @throws {Unclear} when something is said of a list that not each of it can carry.
 */
function refuseUneven(statement: Statement, heard: readonly Heard[], notes: Notes): void {
  const { subject, deeds } = statement
  const lists: readonly (readonly { part: object; words: string }[])[] = [
    ...[subject, ...deeds.map(({ object }) => object)].map((nouns) => nouns.map((noun) => ({ part: noun, words: sayNoun(noun) }))),
    deeds.flatMap(({ verb }) => (verb === null ? [] : [{ part: verb, words: verb.join(' ') }])),
  ]
  const alternatives = anyOf(statement)
  for (const { part, words } of lists.filter((list) => list.length > 1).flat()) {
    const own = heard.filter(({ met }) => met.has(part))
    const isCarried = (one: object) => own.some(({ met }) => met.has(one))
    // "unless archived or expired": either will do.
    const spared = new Set(alternatives.filter(({ parts }) => parts.some((one) => atomsOf(one).every(isCarried))).flatMap(atomsOf))
    const missed = [...new Set(own.flatMap(({ asked }) => [...asked]))].find((one) => !isNounOrVerb(one, deeds) && notes.met.has(one) && !isCarried(one) && !spared.has(one as Condition))
    if (missed !== undefined) throw new Unclear(`of \`${words}\`, ${notes.open.get(missed)?.because ?? 'not all of it can be said'}: write a sentence for each`)
  }
}

function isNounOrVerb(part: object, deeds: readonly Deed[]): boolean {
  return ('words' in part && 'modifiers' in part) || deeds.some(({ verb }) => verb === part)
}

/** Every "or" of conditions, wherever it stands. */
function anyOf(part: unknown): (Condition & { kind: 'any' })[] {
  if (typeof part !== 'object' || part === null) return []
  const own = 'kind' in part && part.kind === 'any' ? [part as Condition & { kind: 'any' }] : []
  return [...own, ...Object.values(part).flatMap(anyOf)]
}

/**
 * A condition that is true of all that it was asked of; null when there is none. What only says who acts at all, as in "anyone who is a
 * nurse", is no such condition.
 */
function vainOf({ subject, when, unless }: Statement, { vain }: Notes): Atom | null {
  const isAnyone = subject.every(({ words, quoted }) => words.length === 0 && quoted === null)
  const whoActs = isAnyone ? partsOf([subject, when, unless]) : new Set<object>()
  const found = [...vain].find(([atom, isAlways]) => isAlways && !(whoActs.has(atom) && ['is', 'isa'].includes(atom.kind)))
  return found?.[0] ?? null
}

function partsOf(part: unknown): Set<object> {
  if (typeof part !== 'object' || part === null) return new Set()
  return new Set([part, ...Object.values(part).flatMap((inner) => [...partsOf(inner)])])
}

function atomsOf(condition: Condition): readonly Condition[] {
  if (condition.kind === 'all' || condition.kind === 'any') return condition.parts.flatMap(atomsOf)
  return condition.kind === 'not' ? atomsOf(condition.of) : [condition]
}

/** @throws {Unclear} for a name that is one thing for some requests and another for others. */
function sides(settled: ReadonlyMap<object, Side | null>): Notes['settled'] {
  return new Map([...settled].map(([part, side]) => {
    const words = Array.isArray(part) ? (part as Phrase) : ((part as { words?: Phrase }).words ?? [])
    return [part, side ?? (oneOf(['principal', 'resource'] as const, () => `\`${words.join(' ')}\` can be of who acts or of what is acted on: say whose`) as Side)]
  }))
}

function piecesOf(statement: Statement, scope: Scope): Piece[] {
  const { environment } = scope.world
  const isOnly = statement.only
  for (const deed of statement.deeds) deedWants(deed, scope)
  const isElse = isOnly === 'condition' && !isNarrowed(statement)
  const deeds = statement.deeds.map((deed) => ({ deed, rests: restsOf(deed, scope) })).filter(({ rests }) => rests.length > 0)
  // Who acts is asked only where the action is one that is meant: elsewhere its words may be unclear, and that is nobody's concern.
  if (deeds.length === 0 && !isElse) return []
  const who = held(() => subjectTest(statement, scope))
  if (who.kind === 'test' && isFalse(who.test) && isOnly !== 'subject') return []
  const pieces: Piece[] = []
  let isDeed = false
  for (const { deed, rests } of deeds) {
    const object = deedTest(deed, rests, scope)
    if (object === null) continue
    const subject = release(who)
    isDeed = true
    const extra = [...(statement.when === null ? [] : [conditionTest(statement.when, scope)])]
    const condition = conjunction([object, ...extra])
    const unless = disjunction([...(statement.unless === null ? [] : [conditionTest(statement.unless, scope)]), ...exceptTests(statement, scope)])
    const add = (name: string, modality: Modality, when: Expression, exception: Expression, obligation: string | null = null) =>
      pieces.push({ environment, slot: name, modality, when, unless: exception, obligation })
    switch (statement.force) {
      case 'permit':
        add('', 'permit', conjunction([subject, condition]), unless)
        if (isOnly === 'subject') add('-', 'forbid', conjunction([condition, negation(subject)]), unless)
        // The bare form is recognized below, where all environments are known.
        // "may export sealed charts only if …": the condition is what "only" is about, else the words that narrow the object.
        if (isOnly === 'condition' && statement.when !== null) add('-', 'forbid', conjunction([subject, object]), conjunction([...extra, negation(unless)]))
        else if (isOnly === 'condition') add('-', 'forbid', subject, conjunction([condition, negation(unless)]))
        break
      case 'forbid':
        add('', 'forbid', conjunction([subject, condition]), unless)
        break
      case 'require':
        if (statement.requirement !== null) add('', 'forbid', conjunction([subject, condition]), disjunction([conditionTest(statement.requirement, scope), unless]))
        break
      case 'oblige':
        for (const duty of statement.duty ?? []) add(`:${duty}`, 'oblige', conjunction([subject, condition]), unless, duty)
        break
    }
  }
  // "Nurses may only read charts", with nothing that narrows it: nothing else of theirs is allowed.
  if (isElse && !isDeed) pieces.push({ environment, slot: 'else', modality: 'forbid', when: release(who), unless: FALSE, obligation: null })
  return pieces
}

type Held = { readonly kind: 'test'; readonly test: Expression } | { readonly kind: 'unclear'; readonly error: Unclear }

/** A test whose being unclear counts only once it is needed. */
function held(test: () => Expression): Held {
  try {
    return { kind: 'test', test: test() }
  } catch (error) {
    if (error instanceof Unclear) return { kind: 'unclear', error }
    throw error
  }
}

function release(one: Held): Expression {
  if (one.kind === 'unclear') throw one.error
  return one.test
}

/** Something stands beside "only" that it can be about: a condition, an exception, an adjective or a modifier of the object, where it is done or goes to. */
function isNarrowed(statement: Statement): boolean {
  const names = (noun: Noun) => noun.modifiers.length > 0 || noun.quoted !== null || noun.words.length > 1
  return statement.when !== null || statement.unless !== null || statement.except.length > 0 || statement.deeds.some((deed) => deed.object.some(names) || deed.tails.some(({ noun }) => names(noun) || (noun.words.length === 1 && !VACUOUS.has((noun.words[0] as string).toLowerCase()))))
}

function subjectTest(statement: Statement, scope: Scope): Expression {
  const { principal } = scope.world
  for (const noun of [...statement.subject, ...statement.exceptSubject]) refuseTheirs(noun, statement, scope)
  const tests = statement.subject.map((noun) => nounTest(noun, principal, scope) ?? FALSE)
  const excepted = statement.exceptSubject.map((noun) => nounTest(noun, principal, scope) ?? FALSE)
  return conjunction([tests.length === 0 ? TRUE : disjunction(tests), negation(disjunction(excepted))])
}

/** "Their doctor" as the one who acts: whose doctor is said nowhere. "Its author" is of what is acted on, unless a condition speaks of something else. */
function refuseTheirs(noun: Noun, { when, unless }: Statement, { world }: Scope): void {
  const own = noun.modifiers.find((modifier) => modifier.kind === 'own')
  const isTarget = ({ words }: Noun) => words.some((_, start) => world.lexicon.types(words.slice(start)).includes(world.environment.resource))
  if (own?.isIts === true && nounsIn([when, unless]).every(isTarget)) return
  if (own !== undefined) throw new Unclear(`\`their ${sayNoun(noun)}\` could be anyone's: say whose`)
}

/** Nouns behind "except": of the object, or of the subject, whichever they name. */
function exceptTests(statement: Statement, scope: Scope): Expression[] {
  const { principal, resource } = scope.world
  const leads = statement.deeds.some(({ object, tails }) => tails.some(toAnyone) || object.some(({ modifiers }) => modifiers.some((modifier) => modifier.kind === 'of' && toAnyone(modifier))))
  if (leads && statement.except.length > 0) throw new Unclear('who is excepted can be who acts, or to whom it goes: write a sentence for each')
  return statement.except.map((noun) => {
    const ofObject = nounTest(noun, resource, scope)
    const ofSubject = noun.words.length === 0 ? null : nounTest(noun, principal, scope)
    if (ofSubject !== null && ofObject === null) refuseTheirs(noun, statement, scope)
    const isBoth = ofObject !== null && ofSubject !== null && !isFalse(ofObject) && !isFalse(ofSubject)
    if (isBoth) return oneOf([ofObject, ofSubject], () => `\`except ${sayNoun(noun)}\` can be about who acts or what is acted on: say which`) as Expression
    return ofObject !== null && !isFalse(ofObject) ? ofObject : (ofSubject ?? ofObject ?? FALSE)
  })
}

/** "With anyone", "to anyone". */
function toAnyone({ preposition, noun }: { readonly preposition: string; readonly noun: Noun }): boolean {
  return isDirected(preposition) && noun.words.length === 0 && noun.quoted === null
}

const ANY_ACTION = ['access', 'use']

function deedWants(deed: Deed, scope: Scope): void {
  const verb = deed.verb
  if (verb === null) return
  const isKnown = scope.world.lexicon.isVerb(verb)
  const said = verb.join(' ')
  want(verb, isKnown ? `\`${said}\` is not an action on \`${deed.object.map(sayNoun).join(', ') || 'that'}\` in the schema` : `no action of the schema is called \`${said}\``, scope, isKnown ? 0 : 3)
  for (const noun of deed.object) want(noun, `nobody can \`${said}\` \`${sayNoun(noun)}\` in the schema`, scope, 0)
}

/** How an environment's action is the deed's: what its name says beside the verb, once for each name; none when it is another action. */
function restsOf(deed: Deed, scope: Scope): readonly Phrase[] {
  const { lexicon, action, environment } = scope.world
  if (deed.verb === null) return [[]]
  const names = lexicon.actions(deed.verb)
  if (names.length === 0) return deed.verb.length === 1 && ANY_ACTION.some((word) => isForm(word, (deed.verb as Phrase)[0] as string)) ? [[]] : []
  return names.filter((name) => name.action === environment.action || action.ancestors.includes(name.action)).map((name) => name.rest)
}

/** The test that narrows the deed's object in an environment of its action; null when the object is another one. */
function deedTest(deed: Deed, rests: readonly Phrase[], scope: Scope): Expression | null {
  const candidates = rests.map((rest) => objectTest(deed, rest, scope)).filter((test) => test !== null)
  if (candidates.length === 0) return null
  // Several ways to name the same action; the one that asks the least of the object has found it named whole.
  const test = candidates.reduce((best, one) => (isFalse(best) ? one : best))
  if (deed.verb !== null) meet(deed.verb, scope)
  const tails = deed.tails.map((tail) => tailTest(tail, scope, deed))
  return conjunction([test, ...tails])
}

/** The object under an action of which `rest` is still unsaid. */
function objectTest(deed: Deed, rest: Phrase, scope: Scope): Expression | null {
  const { lexicon, resource, environment } = scope.world
  const kinds = lexicon.typePhrases(environment.resource)
  const isKind = isKindOf(rest, kinds) || (startsKind(rest, kinds) && !isBetterNamed(deed, scope))
  if (deed.object.length === 0) return TRUE
  const tests = deed.object.map((noun) => {
    const direct = isKind ? nounTest(noun, resource, scope) : null
    return direct ?? consumed(noun, rest, kinds, scope)
  })
  const found = tests.filter((test) => test !== null)
  return found.length === 0 ? null : disjunction(found)
}

function isKindOf(rest: Phrase, kinds: readonly Phrase[]): boolean {
  return rest.length === 0 || kinds.some((kind) => says(rest, kind) || says(rest, kind.slice(-1)))
}

/** `viewSalary` of a salary record. */
function startsKind(rest: Phrase, kinds: readonly Phrase[]): boolean {
  return kinds.some((kind) => rest.length < kind.length && says(rest, kind.slice(0, rest.length)))
}

/** Another action of this verb names the resource by the end of its name, so that this one means something else by the beginning. */
function isBetterNamed(deed: Deed, { world }: Scope): boolean {
  const kinds = world.lexicon.typePhrases(world.environment.resource)
  const others = world.lexicon.actions(deed.verb ?? []).filter(({ action, rest }) => action !== world.environment.action && isKindOf(rest, kinds))
  return others.some(({ action }) => world.schema.actions.get(action)?.resources.includes(world.environment.resource) === true)
}

/** "send payments to verified accounts", with the action `sendPayment`: the noun belongs to the action's name, what follows it tells the object. */
function consumed(noun: Noun, rest: Phrase, kinds: readonly Phrase[], scope: Scope): Expression | null {
  const { resource, context } = scope.world
  if (noun.quoted !== null || noun.other || noun.words.length === 0) return null
  const isKindWord = kinds.flatMap((kind) => [[...kind], kind.slice(-1)])
  const shortened = isKindWord.flatMap((kind) => [
    ...(kind.length < rest.length && says(rest.slice(0, kind.length), kind) ? [rest.slice(kind.length)] : []),
    ...(kind.length < rest.length && says(rest.slice(-kind.length), kind) ? [rest.slice(0, -kind.length)] : []),
  ])
  const akin = (word: string, other: string) => isForm(word, other) || isAkin(word, other)
  // "transfer of funds" with the action transferFunds: the same words, the noun behind.
  const end = [rest, ...shortened].find((words) => words.length > 0 && words.length <= noun.words.length && says(noun.words.slice(-words.length), words, akin))
  if (end === undefined) return null
  meet(noun, scope)
  const parts: Expression[] = []
  const before = noun.words.slice(0, noun.words.length - end.length)
  const isNamed = kinds.some((kind) => says(before, kind))
  if (before.length > 0 && !isNamed) parts.push(eventAdjectives(noun, before, scope))
  // "Records" in `exportRecord` of a customer record are what is acted on, "payments" in `sendPayment` of an account are not.
  const isApart = !isKindOf(rest, kinds) && !startsKind(rest, kinds)
  for (const modifier of noun.modifiers) parts.push(eventModifier(modifier, noun, isApart, { ...scope, here: [context, resource] }))
  return conjunction(parts)
}

function eventAdjectives(noun: Noun, words: Phrase, scope: Scope): Expression {
  const { world } = scope
  want(noun.words, `\`${words.join(' ')}\` says nothing that the schema knows of \`${sayNoun(noun)}\``, scope, 2)
  const from = [world.context, world.resource]
  const flags = booleans(words, from, world, false)
  const values = flags.things.length > 0 ? [] : enumerated(words, from, world, false)
  if (flags.things.length + values.length !== 1) {
    // "the spending limit of an agent": the words go with the attribute of that name.
    return FALSE
  }
  meet(noun.words, scope)
  const flag = flags.things[0]
  if (flag === undefined) return (values[0] as { test: Expression }).test
  return flags.isNegated ? negation(guarded([flag], flag.at)) : guarded([flag], flag.at)
}

/** A modifier of the noun in an action's name: "of patients", "to external mailboxes" is the object; "over 500" is of the request. */
function eventModifier(modifier: Modifier, noun: Noun, isApart: boolean, scope: Scope): Expression {
  const { resource } = scope.world
  want(modifier, `what is said of \`${sayNoun(noun)}\` is nothing that the schema can carry here`, scope, 2)
  switch (modifier.kind) {
    case 'such': {
      meet(modifier, scope)
      return conditionTest(modifier.condition, scope)
    }
    case 'own':
    case 'same': {
      // "its own limit", for `raiseLimit` of an agent: the agent's own.
      const test = nounTest({ words: [], quoted: null, other: false, modifiers: [modifier] }, resource, scope)
      if (test !== null) meet(modifier, scope)
      return test ?? FALSE
    }
    case 'of': {
      return tailTest(modifier, scope, undefined, isApart)
    }
  }
}

/** "to anyone", "to external mailboxes", "from outside the hospital", "in production". */
function tailTest(tail: Tail | (Modifier & { kind: 'of' }), scope: Scope, deed?: Deed, isApart = true): Expression {
  const { world } = scope
  const { noun } = tail
  // "payments to "acme"" are to that account; "vehicles in "North"" and "services to "production"" are not the vehicle, the service itself.
  const isNamed = deed?.object.some(({ words }) => words.some((_, start) => world.lexicon.types(words.slice(start)).includes(world.environment.resource))) === true
  const isPlace = noun.words.length === 0 && noun.quoted !== null && (isNamed || !['to', 'into', 'onto'].includes(tail.preposition.toLowerCase()))
  want(tail, `\`${tail.preposition} ${sayNoun(noun)}\` is nothing that the schema can carry here`, scope, 2)
  const done = (test: Expression | null) => {
    if (test === null) return FALSE
    meet(tail, scope)
    return test
  }
  const isBare = noun.quoted === null && noun.modifiers.length === 0 && !noun.other
  // "to anyone", "at any time", "for any reason" narrow nothing.
  if (isBare && NEUTRAL.has(tail.preposition.toLowerCase()) && (noun.words.length === 0 || (noun.words.length === 1 && VACUOUS.has((noun.words[0] as string).toLowerCase())))) return done(TRUE)
  const isWay = isDirected(tail.preposition)
  // Where the resource is what is handed on, what follows "to" is somebody or somewhere else.
  const isTarget = !isWay || (!isNamed && !scope.statement.deeds.some(({ verb }) => runsAgainst(tail.preposition, verb)) && (deed === undefined ? isApart : isReached(deed, scope)))
  const object = isTarget && NEUTRAL.has(tail.preposition.toLowerCase()) && !isPlace ? nounTest(noun, world.resource, scope) : null
  if (object !== null) return done(object)
  const everywhere = [world.context, world.resource]
  if (isBare && isTarget) {
    for (const words of [[tail.preposition, ...noun.words], ...(NEUTRAL.has(tail.preposition.toLowerCase()) ? [noun.words] : [])]) {
      const flags = booleans(words, everywhere, world, false)
      const values = flags.things.length > 0 ? [] : enumerated(words, everywhere, world, false)
      const tests = [...flags.things.map((flag) => (flags.isNegated ? negation(guarded([flag], flag.at)) : guarded([flag], flag.at))), ...values.map((value) => value.test)]
      const test = oneOf(tests, () => `\`${words.join(' ')}\` can be several attributes: say which`)
      if (test !== undefined) {
        meet(noun, scope)
        return done(test)
      }
    }
  }
  return done(ofTest(tail.preposition, noun, world.resource, scope))
}

/** Whether the deed is done to something else and the resource is where it goes: `deployCode` of a service, "push to repositories". */
function isReached(deed: Deed, scope: Scope): boolean {
  if (deed.object.length === 0 && deed.tails.length === 1 && isKindNoun(deed.tails[0] as Tail, scope)) return true
  const kinds = scope.world.lexicon.typePhrases(scope.world.environment.resource)
  return restsOf(deed, scope).some((rest) => !isKindOf(rest, kinds) && !startsKind(rest, kinds)) || (deed.object.length > 0 && deed.tails.some((tail) => isKindNoun(tail, scope)))
}

function isKindNoun({ noun }: Tail, { world }: Scope): boolean {
  return noun.words.some((_, start) => world.lexicon.types(noun.words.slice(start)).includes(world.environment.resource))
}

const VACUOUS = new Set('anyone anybody everyone everybody anything anywhere reason time purpose recipient way circumstances'.split(' '))

/**
 * What has to be done, as obligations that rules carry: the verb's base form (`log` for recording too), and, where more is said,
 * all of it: "notify the council" is `notify` and `notify council`. Null when the verb is no duty that we know.
 */
export function obligationsOf(duty: Phrase): readonly string[] | null {
  const [verb, ...rest] = bare(duty)
  if (verb === undefined) return null
  const base = [...DUTIES].find(([word]) => isForm(word, verb))
  if (base === undefined || rest.some((word) => !/^[\p{L}\p{N}-]+$/u.test(word))) return null
  return rest.length === 0 ? [base[1]] : [base[1], [base[1], ...rest].join(' ')]
}

function bare(words: Phrase): readonly string[] {
  return words.map((word) => word.toLowerCase()).filter((word) => !['be', 'been', 'the', 'a', 'an', 'it', 'this', 'that', 'them'].includes(word))
}

const DUTIES = new Map(
  'log:log record:log audit:audit notify:notify inform:notify report:report document:document retain:retain archive:archive watermark:watermark justify:justify explain:explain review:review sign:sign encrypt:encrypt redact:redact mask:mask anonymize:anonymize'
    .split(' ')
    .map((pair) => pair.split(':') as [string, string]),
)

/** Pieces that say the same, as norms over as many types and actions at once as the schema allows without touching other requests. */
function gather(pieces: readonly Piece[], statement: Statement, schema: Schema): Meaning[] {
  const groups = new Map<string, Piece[]>()
  for (const piece of pieces) {
    if (isFalse(piece.when) || isTrue(piece.unless)) continue
    const key = JSON.stringify([piece.slot, piece.modality, piece.when, piece.unless, piece.obligation])
    groups.set(key, [...(groups.get(key) ?? []), piece])
  }
  const isAnyone = statement.subject.length === 0 && statement.exceptSubject.length === 0
  const ordered = [...groups.values()].sort((a, b) => (a[0] as Piece).slot.localeCompare((b[0] as Piece).slot))
  return ordered.flatMap((group) => {
    const { modality, when, unless, obligation } = group[0] as Piece
    return boxes(group.map((piece) => piece.environment), schema.environments).map((box): Meaning => ({
      modality,
      principals: (isAnyone || (statement.only === 'subject' && modality === 'forbid')) && covers(box, schema) ? [] : box.principals,
      actions: box.actions.map((key) => (schema.actions.get(key) as Action).uid),
      resources: box.resources,
      when: isTrue(when) ? null : when,
      unless: isFalse(unless) ? null : unless,
      obligation,
    }))
  })
}

type Box = { readonly principals: readonly string[]; readonly actions: readonly string[]; readonly resources: readonly string[] }

/** Environments as products of types and actions, none of which holds an environment that is not among them. */
function boxes(wanted: readonly Environment[], every: readonly Environment[]): Box[] {
  const key = ({ principal, action, resource }: Environment) => `${principal}\u0000${action}\u0000${resource}`
  const inside = new Set(wanted.map(key))
  const others = every.filter((environment) => !inside.has(key(environment)))
  const isClean = (box: Box) => !others.some((one) => box.principals.includes(one.principal) && box.actions.includes(one.action) && box.resources.includes(one.resource))
  const join = (a: Box, b: Box): Box => ({ principals: union(a.principals, b.principals), actions: union(a.actions, b.actions), resources: union(a.resources, b.resources) })
  const found: Box[] = []
  for (const { principal, action, resource } of wanted) {
    const one: Box = { principals: [principal], actions: [action], resources: [resource] }
    const index = found.findIndex((box) => isClean(join(box, one)))
    if (index < 0) found.push(one)
    else found[index] = join(found[index] as Box, one)
  }
  return found
}

function union(a: readonly string[], b: readonly string[]): readonly string[] {
  return [...new Set([...a, ...b])].sort()
}

/** Whether a box has every principal that its actions know for its resources. */
function covers(box: Box, schema: Schema): boolean {
  return schema.environments.every((one) => !box.actions.includes(one.action) || !box.resources.includes(one.resource) || box.principals.includes(one.principal))
}
