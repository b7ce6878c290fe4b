import { FALSE, type BinaryKind, type Expression } from '#core/policy/expression.ts'
import { isElliptic } from './ground-ellipses.ts'
import { choices, everywhere, find, isKnownOne, meet, nounTest, ofTest, oneOf, ownPlace, refThings, relation, sameTest, sayNoun, Unclear, want, whoseTest, type Scope } from './ground-phrases.ts'
import { booleans, butNot, conjunction, disjunction, enumerated, guarded, isEnumerated, isFalse, isTrue, listed, meets, named, negation, reach, sameType, type Thing } from './ground-things.ts'
import type { Phrase } from './lexicon.ts'
import { isForm, lemmas } from './morphology.ts'
import { noun, type Atom, type Condition, type Noun, type Operand, type Operator, type Ref } from './statement.ts'

/**
 * A condition as a test in one environment. What the environment cannot carry is false there, as an absent attribute would
 * be; the statement is unread when some part of it is carried nowhere.
 */
export function conditionTest(condition: Condition, scope: Scope): Expression {
  switch (condition.kind) {
    case 'all': return conjunction(condition.parts.map((part) => conditionTest(part, scope)))
    case 'any': return disjunction(condition.parts.map((part) => conditionTest(part, scope)))
    case 'not': return (isBetweenThings(condition.of) ? butNot : negation)(conditionTest(condition.of, scope))
    case 'is':
    case 'compare':
    case 'relates':
    case 'isa':
    case 'same':
    case 'within': {
      const hasUnit = condition.kind === 'compare' && condition.values.some((value) => value.kind === 'number' && value.unit !== null)
      want(condition, `${sayAtom(condition)} is nothing that the schema can carry here${hasUnit ? ': write the number alone, or the unit that the schema names' : ''}${inCall(condition, scope)}`, scope, 2)
      const test = atomTest(condition, scope)
      hear(condition, test !== null && isTrue(test), scope)
      if (test === null) return FALSE
      meet(condition, scope)
      return test
    }
  }
}

/** What a pronoun cannot be and the call says by itself: "close repairs if they are supervised". */
function inCall(atom: Atom, { world }: Scope): string {
  if (atom.kind !== 'is' || atom.of === null) return ''
  const words = atom.words[0]?.toLowerCase() === 'not' ? atom.words.slice(1) : atom.words
  return booleans(words, [world.context], world, true).things.length === 0 ? '' : `: the call says it, so write “if ${words.join(' ')}”, without saying who`
}

/** "Whose borrower is not their friend" speaks of what has a borrower; "whose status is not open", of what has none too. */
function isBetweenThings(condition: Condition): boolean {
  return condition.kind === 'compare' && condition.left.kind === 'attribute' && condition.left.words.length > 0 && condition.values.every(({ kind }) => kind === 'attribute')
}

/** Whether an atom holds of everything it is asked of: what is always true narrows nothing, and nobody says it for that. */
function hear(atom: Atom, isAlways: boolean, { notes }: Scope): void {
  notes.vain.set(atom, isAlways && notes.vain.get(atom) !== false)
}

function atomTest(atom: Atom, scope: Scope): Expression | null {
  switch (atom.kind) {
    case 'is': return atom.of === null ? bareTest(atom.words, scope) : isTest(atom.of, atom.words, scope)
    case 'compare': return compareTest(atom.left, atom.operator, atom.values, scope)
    case 'relates': return relatesTest(atom.subject, atom.verb, atom.object, scope)
    case 'isa': return onEach(atom.of, scope, (thing) => isaTest(thing, atom, scope))
    case 'same': return onEach(atom.of, scope, (thing) => sameTest(thing, atom.words, atom.as, scope))
    case 'within': return onEach(atom.of, scope, (thing) => ofTest('in', atom.noun, thing, scope))
  }
}

/** The one meaning among the things that a reference can stand for. @throws {Unclear} when it has two. */
function onEach(ref: Ref, scope: Scope, test: (thing: Thing) => Expression | null): Expression | null {
  const things = refThings(ref, scope)
  return things === null ? null : unique(things, test, ref)
}

function unique(things: readonly Thing[], test: (thing: Thing) => Expression | null, ref: Ref): Expression | null {
  const found = things.map((thing) => ({ thing, test: test(thing) })).filter((one): one is { thing: Thing; test: Expression } => one.test !== null)
  const distinct = found.filter((one, index) => found.findIndex((other) => JSON.stringify(other.test) === JSON.stringify(one.test)) === index)
  return oneOf(distinct, () => `\`${ref.kind === 'noun' ? sayNoun(ref.noun) : ref.kind}\` can be ${choices(distinct.map((one) => one.thing))}: say which`)?.test ?? null
}

/** "with consent", "in an emergency", "unless approved": one boolean or enumerated value of the whole request. */
function bareTest(words: Phrase, scope: Scope): Expression | null {
  const { world } = scope
  const isNot = words.length > 1 && (words[0] as string).toLowerCase() === 'not'
  const said = isNot ? words.slice(1) : words
  const from = everywhere(words, scope, (one) => {
    const found = [...booleans(said, one, world, true).things, ...enumerated(said, one, world, false).map(({ thing }) => thing)]
    return found.length > 0 ? found : optional(said, one, scope)
  })
  const flags = booleans(said, from, world, true)
  const values = flags.things.length > 0 ? [] : enumerated(said, from, world, false)
  const found = flags.things.length > 0 ? flags.things : values.map(({ thing }) => thing)
  const at = oneOf([...found.keys()], () => `\`${words.join(' ')}\` can be ${choices(found)}: say which`) ?? 0
  const flag = flags.things[at]
  // "Without managers": who acts, or who else is there.
  const isMany = /[^s]s$/i.test(said[said.length - 1] ?? '') && world.lexicon.values(said).some(({ id }) => id.toLowerCase() !== said.join(' ').toLowerCase())
  if (flag === undefined && isMany && values[at] !== undefined && JSON.stringify(values[at].thing.at).includes('"principal"')) {
    throw new Unclear(`\`${said.join(' ')}\` can be who acts, or someone else: say \`they are …\``)
  }
  const test = flag !== undefined ? guarded([flag], flag.at) : values[at]?.test
  if (test !== undefined) return flags.isNegated !== isNot ? negation(test) : test
  const given = presence(said, from, scope)
  return given !== null && isNot ? negation(given) : given
}

/** "without a reason", "a reason is given": whether an optional attribute is there. */
function presence(words: Phrase, from: readonly Thing[], scope: Scope): Expression | null {
  const found = optional(words, from, scope)
  const given = oneOf(found, () => `\`${words.join(' ')}\` can be ${choices(found)}: say which`)
  return given === undefined ? null : conjunction(given.guards)
}

function optional(words: Phrase, from: readonly Thing[], { world }: Scope): readonly Thing[] {
  const said = words.length > 1 && (words[0] as string).toLowerCase() === 'with' ? words.slice(1) : words
  return named(said, from, world, (type) => type.kind !== 'bool').filter((thing) => thing.at.kind === 'get' && thing.guards.some((guard) => guard.kind === 'has' && JSON.stringify(guard.of) === JSON.stringify((thing.at as { of: Expression }).of) && guard.attribute === (thing.at as { attribute: string }).attribute))
}

const GIVEN = new Set('given provided present specified stated set supplied recorded'.split(' '))

function isTest(ref: Ref, words: Phrase, scope: Scope): Expression | null {
  const things = refThings(ref, scope)
  const direct = things === null ? null : unique(things, (thing) => predicate(words, thing, scope), ref)
  if (direct !== null || ref.kind !== 'noun') return direct
  const { noun } = ref
  const { world } = scope
  if (noun.quoted !== null || noun.other) return null
  // "consent is given", "a human has approved", "the tests have passed": the noun is part of a boolean's name.
  const [modifier, ...more] = noun.modifiers
  if (more.length > 0) return null
  const owner = modifier === undefined ? null : modifier.kind === 'own' ? [modifier.isIts === true ? world.resource : world.principal] : modifier.kind === 'of' ? find(modifier.noun, scope) : null
  if (modifier !== undefined && owner === null) return null
  const isNot = (words[0] ?? '').toLowerCase() === 'not'
  const said = [...noun.words, ...(isNot ? words.slice(1) : words)]
  const from = owner ?? everywhere(noun, scope, (one) => {
    const flags = booleans(said, one, world, true).things
    return flags.length > 0 ? flags : optional(noun.words, one, scope)
  })
  const { things: flags, isNegated } = booleans(said, from, world, true)
  const flag = oneOf(flags, () => `\`${said.join(' ')}\` can be ${choices(flags)}: say which`)
  if (flag === undefined) {
    const isGiven = said.length === noun.words.length + 1 && GIVEN.has((said[said.length - 1] as string).toLowerCase())
    const given = isGiven ? presence(noun.words, from, scope) : null
    if (given === null) return null
    for (const part of modifier === undefined ? [noun] : [noun, modifier]) meet(part, scope)
    return isNot ? negation(given) : given
  }
  meet(noun, scope)
  if (modifier !== undefined) meet(modifier, scope)
  return isNegated !== isNot ? negation(guarded([flag], flag.at)) : guarded([flag], flag.at)
}

/** What is said of one thing: "sealed", "on duty", "a manager", "open" of a status. */
function predicate(words: Phrase, thing: Thing, scope: Scope): Expression | null {
  const { world } = scope
  const isNot = words.length > 1 && (words[0] as string).toLowerCase() === 'not'
  const said = isNot ? words.slice(1) : words
  const test = positive(said, thing, scope)
  if (test === null) return null
  return isNot ? negation(test) : test

  function positive(said: Phrase, thing: Thing, scope: Scope): Expression | null {
    if (thing.type.kind === 'bool') return said.length === 1 && isForm(said[0] as string, 'true') ? guarded([thing], thing.at) : said.length === 1 && isForm(said[0] as string, 'false') ? negation(guarded([thing], thing.at)) : null
    const flags = booleans(said, [thing], world, false)
    const values = flags.things.length > 0 ? [] : enumerated(said, [thing], world, false)
    const found = flags.things.length > 0 ? flags.things : values.map((value) => value.thing)
    if (found.length > 1) throw new Unclear(`\`${said.join(' ')}\` can be ${choices(found)}: say which`)
    const flag = flags.things[0]
    if (flag !== undefined) return flags.isNegated ? negation(guarded([flag], flag.at)) : guarded([flag], flag.at)
    if (values[0] !== undefined) return values[0].test
    const value = valueTest(thing, '==', { kind: 'text', value: said.join(' '), quoted: false }, scope)
    if (value !== null) return value
    return thing.type.kind === 'entity' && !isEnumerated(thing.type, world.schema) ? trial(scope, (inner) => nounTest(noun(said), thing, inner)) : null
  }
}

/** "is a manager", "is the owner of the document"; "is the purpose of the record" is that very thing. */
function isaTest(thing: Thing, { noun: what, whose }: Atom & { kind: 'isa' }, scope: Scope): Expression | null {
  const { principal, resource } = scope.world
  const theirs = what.modifiers.find((modifier) => modifier.kind === 'own')
  // "Vans of which they are the driver", "if they are its driver": whom the van names, and not any driver.
  if (whose !== undefined) return whoseTest(what, thing, refThings(whose, scope) ?? [], scope)
  if (theirs !== undefined && (theirs.isIts === true || (thing === principal && !theirs.isSaid))) {
    return thing === principal && what.modifiers.length === 1 ? whoseTest({ ...what, modifiers: [] }, thing, [resource], scope) : null
  }
  // "a depot that is their own".
  if (isElliptic(what) && thing !== scope.world.resource && thing !== scope.world.principal) return ownPlace(thing, scope)
  const kind = trial(scope, (inner) => nounTest(what, thing, inner))
  if (kind !== null && !isFalse(kind)) return kind
  if (what.modifiers.length === 0 && what.isDefinite !== true) return kind
  const same = trial(scope, (inner) => {
    const tests = (find(what, inner) ?? []).filter((other) => other !== thing).map((other) => meets(thing, other)).filter((test) => test !== null)
    return tests.length === 1 ? (tests[0] as Expression) : null
  })
  return same ?? kind
}

/** Tries a meaning that the text does not spell out as a part of its own: what it leaves open makes it null, not the statement unread. */
function trial(scope: Scope, test: (scope: Scope) => Expression | null): Expression | null {
  const notes = { ...scope.notes, open: new Map<object, { because: string; depth: number }>(), met: new Set<object>() }
  const found = test({ ...scope, notes })
  return [...notes.open.keys()].every((part) => notes.met.has(part)) ? found : null
}

/** Among "they", those who act come first: a thing is meant only where they cannot be. */
function relatesTest(subject: Ref, verb: Phrase, object: Ref, scope: Scope): Expression | null {
  const { principal, resource } = scope.world
  // "owned by other users": not owned by the one who acts.
  const other = [subject, object].find((ref) => ref.kind === 'noun' && ref.noun.other && ref.noun.modifiers.length === 0)
  if (other !== undefined && other.kind === 'noun') {
    const own: Ref = { kind: 'subject' }
    const isActor = other.noun.words.length === 0 || scope.world.lexicon.types(other.noun.words).includes(scope.world.environment.principal)
    // "belongs to another tenant": not of the one who acts.
    if (!isActor && object === other && isForm(verb[0] ?? '', 'belong')) return onEach(subject, scope, (thing) => ofTest('of', other.noun, thing, scope))
    const test = isActor ? relatesTest(subject === other ? own : subject, verb, object === other ? own : object, scope) : null
    const core = test === null ? null : butNot(test)
    if (test === null || core === null || (test.kind !== 'eq' && core.kind !== 'and')) return null
    meet(other.noun, scope)
    return core
  }
  for (const ref of [subject, object]) refuseMany(ref, scope)
  const things = (ref: Ref) => (ref.kind === 'they' ? [[principal], [resource]] : [refThings(ref, scope) ?? []])
  for (const subjects of things(subject)) {
    for (const objects of things(object)) {
      const tests = subjects.flatMap((one) => objects.filter((another) => another !== one).map((another) => relation(one, verb, another, scope))).filter((test) => test !== null)
      const distinct = tests.filter((test, index) => tests.findIndex((one) => JSON.stringify(one) === JSON.stringify(test)) === index)
      if (distinct.length > 1) throw new Unclear(`who or what is meant in \`${verb.join(' ')}\` is open: name both`)
      if (distinct[0] !== undefined) return distinct[0]
    }
  }
  return null
}

/** "Decided by employees", where employees act: any of them has decided, and not the one who acts. */
function refuseMany(ref: Ref, scope: Scope): void {
  if (ref.kind !== 'noun' || ref.noun.other || ref.noun.words.length === 0 || ref.noun.isDefinite === true || isKnownOne(ref.noun)) return
  if (refThings(ref, scope)?.includes(scope.world.principal) === true) {
    throw new Unclear(`\`${sayNoun(ref.noun)}\` can be any of them, or who acts: say \`them\` for who acts`)
  }
}

function compareTest(left: Operand, operator: Operator, values: readonly Operand[], scope: Scope): Expression | null {
  if (left.kind !== 'attribute') return null
  const base: Operator = operator === '!=' ? '==' : operator
  const [only, ...more] = values
  if (base === '==' && more.length === 0 && only?.kind === 'text' && !only.quoted && GIVEN.has(only.value.toLowerCase())) {
    const owners = left.of === null ? everywhere(left, scope, (from) => optional(left.words, from, scope)) : (refThings(left.of, scope) ?? [])
    const given = presence(left.words, owners, scope)
    return given !== null && operator === '!=' ? negation(given) : given
  }
  const tests = values.map((value) => {
    const candidates = operandThings(left, value, scope)
    const found = candidates.map((thing) => ({ thing, test: valueTest(thing, base, value, scope) })).filter((one): one is { thing: Thing; test: Expression } => one.test !== null)
    return oneOf(found, () => `\`${left.words.join(' ') || 'how much'}\` can be ${choices(found.map((one) => one.thing))}: say which`)?.test ?? null
  })
  if (tests.length === 0 || tests.some((test) => test === null)) return null
  const test = disjunction(tests as Expression[])
  if (operator !== '!=') return test
  return left.words.length > 0 && values.every(({ kind }) => kind === 'attribute') ? butNot(test) : negation(test)
}

/** What the left side of a comparison can be; without words, the one quantity of what is spoken about. */
function operandThings(operand: Operand & { kind: 'attribute' }, value: Operand, scope: Scope): readonly Thing[] {
  const { world } = scope
  const isValue = (type: Thing['type']) => type.kind !== 'record' && type.kind !== 'bool'
  const owners = operand.of !== null ? refThings(operand.of, scope) : everywhere(operand, scope, (from) => named(operand.words, from, world, isValue))
  if (operand.words.length === 0) return owners === null ? [] : quantities(owners, value, scope)
  const fits = (thing: Thing) => thing.type.kind !== 'record'
  const found = owners === null ? [] : named(operand.words, owners, world, isValue).filter(fits)
  if (found.length === 0 && owners !== null && value.kind === 'number' && value.unit !== null) {
    // "a size over 100 MB", where the attribute is `size_mb`.
    const measured = named([...operand.words, value.unit], owners, world, (type) => type.kind === 'long')
    if (measured.length > 0) return measured
  }
  if (found.length > 0 || operand.of === null || operand.of.kind !== 'noun') return found
  // "the payment amount" said apart: "the amount of the payment", where the payment is nothing but what is done.
  const { noun } = operand.of
  if (noun.modifiers.length > 0 || noun.quoted !== null || noun.other) return []
  const search = (from: readonly Thing[]) => named([...noun.words, ...operand.words], from, world, isValue)
  const whole = search(everywhere(noun, scope, search))
  if (whole.length > 0) meet(noun, scope)
  return whole
}

const QUANTITY = new Set('amount value total price sum cost gross'.split(' '))

function quantities(owners: readonly Thing[], value: Operand, scope: Scope): readonly Thing[] {
  const own = owners.filter((thing) => thing.type.kind === 'long')
  if (own.length > 0) return own
  const unit = value.kind === 'number' ? value.unit : null
  // The nearest that has one: a transfer's amount is what the call says, not the balance of the account.
  const found = owners.map((owner) => {
    const longs = reach(owner, scope.world).filter(({ thing, depth }) => depth === 1 && thing.type.kind === 'long').map(({ thing }) => thing)
    if (unit !== null && !CURRENCY.test(unit)) return longs.filter((thing) => namesUnit(thing, unit))
    return longs.filter((thing) => thing.names.some((name) => name.some((word) => QUANTITY.has(word))))
  })
  return found.find((things) => things.length > 0) ?? []
}

const CURRENCY = /^(?:[$€£¥]|eur|usd|gbp|chf|jpy|cny|inr|cad|aud|nzd|sek|nok|dkk|pln|czk|huf|brl|mxn|zar|krw|sgd|hkd|euros?|dollars?|pounds?|francs?|yen|cents?)$/i

function valueTest(left: Thing, operator: Operator, value: Operand, scope: Scope): Expression | null {
  const { world } = scope
  switch (value.kind) {
    case 'number': {
      if (left.type.kind !== 'long' || !/^-?\d+$/.test(value.digits) || !isLong(value.digits)) return null
      if (value.unit !== null && !namesUnit(left, value.unit)) return null
      return guarded([left], binary(operator, left.at, { kind: 'long', value: BigInt(value.digits).toString() }))
    }
    case 'text': {
      if (operator !== '==') return null
      const element = left.type.kind === 'set' ? left.type.element : left.type
      const right = literal(element, value, left, scope)
      if (right === null) return null
      return guarded([left], left.type.kind === 'set' ? { kind: 'contains', left: left.at, right } : { kind: 'eq', left: left.at, right })
    }
    case 'attribute': {
      const owners = value.of !== null ? refThings(value.of, scope) : everywhere(value, scope, (from) => named(value.words, from, world, (type) => type.kind !== 'record'))
      const things = owners === null ? [] : value.words.length === 0 ? owners : named(value.words, owners, world, (type) => type.kind !== 'record')
      const fitting = things.filter((thing) => JSON.stringify(thing.at) !== JSON.stringify(left.at) && (operator === '==' ? meets(left, thing) !== null : left.type.kind === 'long' && sameType(left.type, thing.type)))
      const right = oneOf(fitting, () => `\`${value.words.join(' ') || 'how much'}\` can be ${choices(fitting)}: say which`)
      if (right === undefined) return null
      return operator === '==' ? meets(left, right) : guarded([left, right], binary(operator, left.at, right.at))
    }
  }
}

/** Words that tell something about a value instead of being one. */
const NO_VALUE = new Set(
  'known unknown set unset missing present absent empty given required valid invalid null defined undefined available unavailable specified stated supplied provided recorded appropriate reasonable normal same different correct incorrect right wrong ok okay fine good bad high low new old current relevant suitable sufficient adequate necessary needed possible true false yes no not true none any some anything nothing one other another more less it them they clear unclear always never often sometimes usually normally currently already still again soon later now then here there too also only just'.split(
    ' ',
  ),
)

function literal(type: Thing['type'], value: { value: string; quoted: boolean }, left: Thing, scope: Scope): Expression | null {
  if (type.kind === 'string') {
    const words = value.value.toLowerCase().split(/[\s_-]+/)
    const known = listed(left, words)
    if (known !== null) return { kind: 'string', value: known }
    if (value.quoted) return { kind: 'string', value: value.value }
    // A phrase without quotation marks is a value only when it is one word, or every word is a name's.
    if (/\s/.test(value.value) ? !value.value.split(/\s+/).every((word) => /^\p{Lu}/u.test(word)) : NO_VALUE.has(value.value.toLowerCase())) return null
    return { kind: 'string', value: value.value }
  }
  if (type.kind !== 'entity') return null
  const ids = scope.world.schema.entityTypes.get(type.name)?.ids ?? null
  if (ids === null) return value.quoted ? { kind: 'entity', uid: { type: type.name, id: value.value } } : null
  const id = ids.find((one) => one === value.value) ?? scope.world.lexicon.values(value.value.split(/\s+/)).find((one) => one.type === type.name)?.id
  return id === undefined ? null : { kind: 'entity', uid: { type: type.name, id } }
}

function isLong(digits: string): boolean {
  const value = BigInt(digits)
  return value >= -(2n ** 63n) && value < 2n ** 63n
}

/** A unit is what the attribute's name, documentation or `@unit` says: 100 cents are not 100 euros, and nobody knows which they are where nothing says it. */
function namesUnit(thing: Thing, unit: string): boolean {
  const documented = ['doc', 'unit'].flatMap((key) => (thing.annotations[key] ?? '').split(/[^\p{L}$€£¥%]+/u)).filter((word) => word !== '')
  const alike = MONEY.find((words) => words.some((word) => isForm(unit, word))) ?? [unit]
  return [...thing.names.flat(), ...documented].some((word) => alike.some((one) => isForm(word, one)))
}

/** One currency as it is said. */
const MONEY: readonly (readonly string[])[] = ['€ eur euro', '$ usd dollar', '£ gbp pound', '¥ jpy yen', 'chf franc', 'cent ct'].map((words) => words.split(' '))

const KIND: { readonly [operator in Operator]: BinaryKind } = { '<': 'less', '<=': 'lessEq', '>': 'greater', '>=': 'greaterEq', '==': 'eq', '!=': 'neq' }

function binary(operator: Operator, left: Expression, right: Expression): Expression {
  return { kind: KIND[operator], left, right }
}

/** An atom as the text has it, without what stands for something else: `below 18`, `driver`, `author assigned to`. */
export function sayAtom(atom: Atom): string {
  const words = (...parts: readonly string[]) => `\`${parts.filter((part) => part !== '').join(' ')}\``
  switch (atom.kind) {
    case 'is': return words(sayRef(atom.of), ...atom.words)
    case 'compare': return words(sayOperand(atom.left), SAID[atom.operator], atom.values.map(sayOperand).join(' or '))
    case 'relates': return words(sayRef(atom.subject), ...atom.verb, sayRef(atom.object))
    case 'isa': return words(sayRef(atom.of), sayNoun(atom.noun))
    case 'same': return words('the same', ...atom.words)
    case 'within': return words(sayRef(atom.of), 'in', sayNoun(atom.noun))
  }
}

const SAID: { readonly [operator in Operator]: string } = { '<': 'below', '<=': 'at most', '>': 'over', '>=': 'at least', '==': 'is', '!=': 'is not' }

function sayRef(ref: Ref | null): string {
  return ref?.kind === 'noun' ? sayNoun(ref.noun) : ''
}

function sayOperand(operand: Operand): string {
  switch (operand.kind) {
    case 'attribute': return operand.words.join(' ') || sayRef(operand.of)
    case 'number': return `${operand.digits}${operand.unit === null ? '' : ` ${operand.unit}`}`
    case 'text': return operand.value
  }
}
