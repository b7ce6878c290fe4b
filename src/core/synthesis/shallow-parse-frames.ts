import { noun, statement, type Condition, type Deed, type Noun, type Statement } from '#core/unit/statement.ts'
import { conditionOf } from './shallow-parse-conditions.ts'
import {
  antecedent, ANYONE, isBase, mentionedIn, nounList, objects, predicate, SELF, subjectOf, verbLength, verbPhrases, withoutLead, withoutTrail, type Subject,
} from './shallow-parse-deeds.ts'
import { isNarrowedByWords, otherwise } from './shallow-parse-open.ts'
import { isParticiple, type Scope } from './shallow-parse-phrases.ts'
import { codes, ended, say, Unread, type Token } from './shallow-parse-tokens.ts'

/**
 * What a clause says: it is cut at its markers (subordinators, modals, joints) into frames, and the pieces are put into the
 * places of a statement. Every token has a place.
 *
 * @throws {Unread} when one has none.
 */
export function statementsOf(clauses: readonly (readonly Token[])[], scope: Scope): Statement[] {
  const found: Statement[] = []
  let before: Clause | null = null
  for (const tokens of clauses) {
    const read = clausesAt(tokens, before, scope)
    found.push(...read.flatMap(({ statements }) => statements))
    before = read[read.length - 1] ?? before
  }
  return found
}

function clausesAt(tokens: readonly Token[], before: Clause | null, scope: Scope): Clause[] {
  const trimmed = purposeLast(withoutLead(tokens))
  if (trimmed[0]?.code === 's' || (trimmed[0]?.code === 'x' && trimmed[1]?.code === 'p')) return leading(trimmed, scope)
  const found = frames(mainClauses(trimmed, scope), before, [], scope)
  const isJoinedPlainly = !trimmed.some(({ code }) => code === ',' || code === 'x')
  return isJoinedPlainly && goesOn(found) && scope.other(2) === 1 ? found.map((clause) => ({ ...clause, statements: clause.statements.map((one): Statement => ({ ...one, only: 'subject' })) })) : found
}

/** "Only mechanics may repair and drivers may drive …": whether "only" can be said of those who follow, too. */
function goesOn([first, ...rest]: readonly Clause[]): boolean {
  const isNew = ({ subject, statements }: Clause) => subject !== first?.subject && subject.nouns.length > 0 && !subject.isOnly && statements.every(({ force, only }) => force === 'permit' && only === null)
  return first?.subject.isOnly === true && rest.length > 0 && rest.every(isNew)
}

function frames(clauses: readonly (readonly Token[])[], first: Clause | null, mentioned: readonly Noun[], scope: Scope): Clause[] {
  const found: Clause[] = []
  for (const clause of clauses) found.push(frame(clause, found[found.length - 1] ?? first, mentioned, scope))
  return shared(found)
}

/** "Employees may update and customers may view records of their region": the object at the end is both verbs'. */
function shared(clauses: readonly Clause[]): Clause[] {
  return clauses.reduceRight<Clause[]>((rest, clause) => {
    const object = rest[0]?.deeds[0]?.object ?? []
    const isBare = ({ deeds }: { deeds: readonly Deed[] }) => deeds.every((deed) => deed.object.length === 0 && deed.tails.length === 0 && deed.verb?.length === 1)
    if (object.length === 0 || !clause.statements.every(isBare)) return [clause, ...rest]
    const isUnder = ({ when, unless, except }: Statement) => when !== null || unless !== null || except.length > 0
    if (rest[0]?.statements.some(isUnder) === true) throw new Unread('what stands at the end can be about one or both: write a sentence for each')
    const withObject = <T extends { readonly deeds: readonly Deed[] }>(one: T): T => ({ ...one, deeds: one.deeds.map((deed) => ({ ...deed, object })) })
    return [{ ...withObject(clause), statements: clause.statements.map(withObject) }, ...rest]
  }, [])
}

/** "To export a chart, a nurse must be on duty": the purpose goes where it stands otherwise. */
function purposeLast(tokens: readonly Token[]): readonly Token[] {
  const comma = tokens.findIndex(({ code }) => code === ',')
  const isPurpose = tokens[0]?.code === 'p' && tokens[0].text.toLowerCase() === 'to' && comma > 0
  return isPurpose ? [...tokens.slice(comma + 1), ...tokens.slice(0, comma)] : tokens
}

/** A main clause as read: its statements, and what a following clause can leave out or point at. */
type Clause = { readonly statements: readonly Statement[]; readonly subject: Subject; readonly deeds: readonly Deed[]; readonly mentioned: readonly Noun[] }

/** "If the chart is sealed, no one may edit it." */
function leading(tokens: readonly Token[], scope: Scope): Clause[] {
  const commas = tokens.flatMap(({ code }, index) => (code === ',' ? [index] : []))
  const modal = tokens.findIndex(({ code }) => /[MAF]/.test(code))
  const fitting = commas.filter((index) => index < modal)
  if (fitting.length === 0) throw new Unread('put a comma behind the condition')
  const comma = fitting[fitting.length > 1 ? scope.choose(fitting.length) : 0] as number
  const [marker] = tokens as [Token, ...Token[]]
  const condition = conditionOf(tokens.slice(1, comma), null, scope)
  const found = frames(mainClauses(tokens.slice(comma + 1), scope), null, nounsOf(condition), scope)
  const isException = marker.value === 'unless' || marker.code === 'x'
  const all = found.flatMap(({ statements }) => statements)
  if (all.some(({ only }) => only === 'condition')) {
    throw new Unread('`only` behind a condition can mean two things: write a sentence for each')
  }
  if (marker.value === 'only' && all.some(({ force, only }) => force !== 'permit' || only !== null)) {
    throw new Unread('say `if` for the condition')
  }
  const conditioned = (one: Statement): Statement[] => {
    if (isException) return [{ ...one, unless: either(one.unless, condition) }]
    const otherwise: Statement[] = marker.value === 'only' ? [{ ...one, force: 'forbid', when: null, unless: either(one.unless, condition) }] : []
    return [{ ...one, when: both(one.when, condition) }, ...otherwise]
  }
  return found.map((clause) => ({ ...clause, statements: clause.statements.flatMap(conditioned) }))
}

function both(a: Condition | null, b: Condition | null): Condition | null {
  if (a === null || b === null) return a ?? b
  return { kind: 'all', parts: [a, b] }
}

function either(a: Condition | null, b: Condition | null): Condition | null {
  if (a === null || b === null) return a ?? b
  return { kind: 'any', parts: [a, b] }
}

/** The things that a condition speaks of by name: what "it" can be later. */
function nounsOf(condition: Condition): Noun[] {
  switch (condition.kind) {
    case 'all':
    case 'any': return condition.parts.flatMap(nounsOf)
    case 'not': return nounsOf(condition.of)
    case 'is':
    case 'isa':
    case 'same':
    case 'within': return condition.of?.kind === 'noun' ? [condition.of.noun] : []
    case 'relates': return [condition.subject, condition.object].flatMap((ref) => (ref.kind === 'noun' ? [ref.noun] : []))
    case 'compare': return condition.left.kind === 'attribute' && condition.left.of?.kind === 'noun' ? [condition.left.of.noun] : []
  }
}

/** Clauses with a modal each: "X may A, and Y may B"; a second without a subject has the first one's. */
function mainClauses(tokens: readonly Token[], scope: Scope): (readonly Token[])[] {
  const modals = tokens.flatMap(({ code }, index) => (/[MAI]/.test(code) && !(code === 'A' && tokens[index - 1]?.code === 'M') && !inSubordinate(tokens, index) ? [index] : []))
  const cuts: number[] = []
  for (const modal of modals.slice(1)) {
    const joint = tokens.findLastIndex(({ code, text }, index) => index < modal && (code === 'c' || (code === 'x' && /^but$/i.test(text)) || code === 's'))
    const last = cuts[cuts.length - 1] ?? modals[0] as number
    if (joint <= last || tokens[joint]?.code === 's') throw new Unread('two rules in one sentence: write a sentence for each')
    cuts.push(joint)
  }
  const parts = [...cuts, tokens.length].map((end, index) => tokens.slice(index === 0 ? 0 : (cuts[index - 1] as number) + 1, end))
  // "X may A and Y may B if C": whether C holds for A too is open, unless a comma or "but" sets the second apart.
  const last = parts[parts.length - 1] as readonly Token[]
  const condition = last.findIndex(({ code, text }) => code === 's' || (code === 'x' && !/^but/i.test(text)))
  const cut = cuts[cuts.length - 1]
  if (parts.length > 1 && condition > 0 && cut !== undefined && tokens[cut]?.code === 'c' && tokens[cut - 1]?.code !== ',' && scope.choose(2) === 1) {
    return parts.map((part, index) => (index === parts.length - 1 ? part : [...withoutLead(part), ...last.slice(condition)]))
  }
  return parts
}

/** A modal within a relative clause or a condition is not a clause's own. */
function inSubordinate(tokens: readonly Token[], index: number): boolean {
  const before = tokens.slice(0, index)
  const marker = before.findLastIndex(({ code }) => code === 's')
  return marker >= 0 && !before.slice(marker).some(({ code }) => /[,x]/.test(code)) && marker > 0
}

function frame(all: readonly Token[], before: Clause | null, mentioned: readonly Noun[], scope: Scope): Clause {
  const tokens = withoutLead(all)
  const text = codes(tokens)
  const it = before === null ? mentioned : before.mentioned
  if (/^I/.test(text)) return impersonal(tokens, it, scope)
  if (/^t?~w/.test(text) && verbLength(tokens, text.indexOf('~') + 1, scope) > 0) {
    return ruling('forbid', null, ANYONE, tokens.slice(text.indexOf('~') + 1), it, scope)
  }
  if (/^W/.test(text)) return whoever(tokens, it, scope)
  const force = tokens.findIndex(({ code }) => /[MA]/.test(code))
  if (force >= 0) return modal(tokens, force, before, it, scope)
  const final = tokens.findIndex(({ code }) => code === 'F')
  if (final > 0) return gerund(tokens, final, it, scope)
  const needs = tokens.findIndex(({ code }, index) => code === 'Q' && index > 0)
  if (needs > 0) return requires(tokens, needs, it, scope)
  if (/b(?:~?)w(?:[sx,]|$)/.test(text)) return habit(tokens, it, scope)
  throw new Unread('no rule is found: say who may, must not or must do what')
}

/** "It is forbidden [for nurses] to export charts." */
function impersonal(tokens: readonly Token[], it: readonly Noun[], scope: Scope): Clause {
  const [marker] = tokens as [Token, ...Token[]]
  let at = 1
  let subject: Subject = ANYONE
  const to = tokens.findIndex(({ code, text }) => code === 'p' && text.toLowerCase() === 'to')
  if (to < 0) throw new Unread('it is said nowhere what is meant: write `it is … to …`')
  if (tokens[1]?.code === 'p' && tokens[1].text.toLowerCase() === 'for') {
    subject = subjectOf(tokens.slice(2, to), scope)
    at = to
  }
  if (at !== to) throw new Unread(`\`${say(tokens.slice(at, to))}\` is not understood here`)
  return ruling(marker.value === 'permit' ? 'permit' : 'forbid', null, subject, tokens.slice(to + 1), it, scope)
}

/** "Whoever exports a chart must notify the council." */
function whoever(tokens: readonly Token[], it: readonly Noun[], scope: Scope): Clause {
  const must = tokens.findIndex(({ code }) => code === 'M')
  if (must < 0) throw new Unread('whoever does what, must do what?')
  const deed = predicate(tokens.slice(1, must), it, scope)
  const modal = tokens[must] as Token
  if (modal.value === 'must') return oblige(ANYONE, deed.deeds, tokens.slice(must + 1), scope)
  throw new Unread('say `nobody may` or `everyone may`')
}

function oblige(subject: Subject, deeds: readonly Deed[], rest: readonly Token[], scope: Scope): Clause {
  const { body, when, unless, only } = adjuncts(rest, scope)
  if (only) throw new Unread('`only` is not understood in a duty')
  const made = dutiesOf(body).map((words) => statement({ force: 'oblige', subject: subject.nouns, exceptSubject: subject.except, deeds, when, unless, duty: dutyOf(words, scope) }))
  return { statements: made, subject, deeds, mentioned: mentionedIn(deeds) }
}

/** "be logged and reviewed": each. */
function dutiesOf(tokens: readonly Token[]): (readonly Token[])[] {
  const cuts = tokens.flatMap(({ code, value }, index) => (code === 'c' && value === 'and' ? [index] : []))
  return [...cuts, tokens.length].map((end, index) => withoutTrail(tokens.slice(index === 0 ? 0 : (cuts[index - 1] as number) + 1, end)))
}

/** The words of a duty, passive or active. */
function dutyOf(tokens: readonly Token[], scope: Scope): string[] {
  const text = codes(tokens)
  if (!/^b?[wdp1yu]+$/.test(text) || !/w/.test(text)) throw new Unread(`\`${say(tokens)}\` is not understood as a duty`)
  // Whom to notify is the author's to name; how something is logged is the schema's.
  const [verb, ...more] = tokens.filter(({ code }) => code === 'w')
  const strange = /^(?:notif|inform|report)/i.test(verb?.text ?? '') ? undefined : more.find(({ text: word }) => !scope.lexicon.knows(word))
  if (text.startsWith('b') && strange !== undefined) throw new Unread(`\`${strange.text}\` is no word of the schema`)
  return tokens.filter(({ code }) => code !== 'b').flatMap(({ text: word }) => word.split(' '))
}

/** "Sharing archived documents is prohibited [for contractors]." */
function gerund(tokens: readonly Token[], at: number, it: readonly Noun[], scope: Scope): Clause {
  const force = tokens[at] as Token
  let subject: Subject = ANYONE
  let rest = tokens.slice(at + 1)
  if (rest[0]?.code === 'p' && ['for', 'to'].includes(rest[0].text.toLowerCase())) {
    const end = rest.findIndex(({ code }, index) => index > 0 && /[sx,o]/.test(code))
    subject = { ...subjectOf(rest.slice(1, end < 0 ? rest.length : end), scope), isOnly: force.value === 'only' }
    rest = end < 0 ? [] : rest.slice(end)
  } else if (force.value === 'only' && rest[0]?.code === 'p') rest = [{ code: 'o', text: 'only', value: '', tags: new Set() }, ...rest]
  const deed = nominal(tokens.slice(0, at), scope)
  const value = force.value === 'only' && (subject.isOnly || rest[0]?.code === 'o') ? 'permit' : force.value
  return ruling(value, null, subject, rest, it, scope, deed)
}

/** "Exports require consent." "Deleting tables requires human approval." */
function requires(tokens: readonly Token[], at: number, it: readonly Noun[], scope: Scope): Clause {
  const { body: all, when, unless, only } = adjuncts(tokens.slice(at + 1), scope)
  if (only) throw new Unread('`only` is not understood in a requirement')
  const to = all.findIndex(({ code, text }, index) => code === 'p' && text.toLowerCase() === 'to' && verbLength(all, index + 1, scope) > 0)
  // "Officers need a second review to approve applications": of some, for a deed.
  const subject = to < 0 ? ANYONE : subjectOf(tokens.slice(0, at), scope)
  if (subject.isNone || subject.isOnly) throw new Unread('say who must, without `no` or `only`')
  const deeds = to < 0 ? nominal(tokens.slice(0, at), scope) : predicate(all.slice(to + 1), it, scope).deeds
  const body = to < 0 ? all : all.slice(0, to)
  const requirement = conditionOf(body, null, scope)
  const duty = /^[wd]+$/.test(codes(body)) ? body.filter(({ code }) => code === 'w').map(({ text }) => text) : null
  const made = statement({ force: 'require', subject: subject.nouns, exceptSubject: subject.except, deeds, requirement, when, unless, duty })
  return { statements: [made], subject, deeds, mentioned: [...it, ...mentionedIn(deeds)] }
}

/** "Exports are logged." */
function habit(tokens: readonly Token[], it: readonly Noun[], scope: Scope): Clause {
  const be = tokens.findIndex(({ code }) => code === 'b')
  if (tokens[be + 1]?.code === '~') throw new Unread('what is not done is not said to be forbidden: say `must not`')
  const deeds = nominal(tokens.slice(0, be), scope)
  return oblige(ANYONE, deeds, tokens.slice(be), scope)
}

/** The deed that a noun or a gerund names: "every export of a chart", "sharing archived documents", "approval of payments". */
function nominal(tokens: readonly Token[], scope: Scope): Deed[] {
  const start = tokens.findIndex(({ code }) => code !== 'd')
  const rest = start < 0 ? [] : tokens.slice(start)
  const length = verbLength(rest, 0, scope)
  if (length === 0 && /^w{2,}$/.test(codes(rest)) && verbLength(rest, rest.length - 1, scope) === 1) {
    // "project deletions": the deed behind what it is done to.
    return [{ verb: [(rest[rest.length - 1] as Token).text], object: [noun(rest.slice(0, -1).map(({ text }) => text))], tails: [] }]
  }
  if (length === 0) throw new Unread(`\`${say(tokens)}\` names no action of the schema`)
  const verbs: Token[][] = [rest.slice(0, length)]
  let at = length
  while (rest[at]?.code === 'c' || rest[at]?.code === ',') {
    const more = verbLength(rest, at + 1, scope)
    if (more === 0) break
    verbs.push(rest.slice(at + 1, at + 1 + more))
    at += 1 + more
  }
  const isOf = rest[at]?.code === 'p' && ['of', 'to'].includes((rest[at] as Token).text.toLowerCase())
  const isQuantity = rest[at]?.code === 'k' || (isOf && rest[at + 1]?.code === 'k')
  if (isQuantity) throw new Unread('say the quantity of what, with its name in the schema')
  const { object, tails } = objects(rest.slice(isOf ? at + 1 : at), [], scope)
  // "Changes to documents" are of them; "exports to the US" go there.
  const isThing = (one: Noun) => one.words.some((_, start) => scope.lexicon.types(one.words.slice(start)).length > 0)
  if (isOf && /^to$/i.test((rest[at] as Token).text) && !object.every(isThing)) throw new Unread(`\`${say(rest.slice(at))}\` is where it goes: say what`)
  return verbs.map((verb) => ({ verb: verb.map(({ text }) => text), object, tails }))
}

/** "Nurses may read charts." and its relatives: what stands before the modal, the modal, what stands behind it. */
function modal(tokens: readonly Token[], at: number, before: Clause | null, it: readonly Noun[], scope: Scope): Clause {
  const marker = tokens[at] as Token
  const left = tokens.slice(0, at)
  const right = tokens.slice(at + 1)
  if (marker.code === 'A') {
    const subject = subjectOf(left, scope)
    return ruling(marker.value === 'permit' ? 'permit' : 'forbid', null, subject, [verbToken('access'), ...right], it, scope)
  }
  if (right[0]?.code === 'A') return modal([...left, marker, verbToken('access'), ...right.slice(1)], at, before, it, scope)
  // "but clerks may not": the deeds of the clause before.
  if (right.length === 0) {
    if (before === null || before.deeds.length === 0 || marker.value === 'must' || marker.value === 'only') {
      throw new Unread('the sentence breaks off behind the verb')
    }
    return permission(marker, subjectOf(left, scope), before.deeds, EMPTY, before.mentioned)
  }
  if (marker.value === 'must') return duty(left, right, it, scope)
  if (marker.value === 'forbid' && isWeak(marker) && isWhole(left[0])) throw new Unread('it denies of all together, or of each: say `no …`, or which may not', true)
  const isPassive = right[0]?.code === 'b' || (right[0]?.code === 'o' && right[1]?.code === 'b')
  if (isPassive) return passive(marker, left, right, it, scope)
  const isThey = codes(left) === 'u' && ['they', 'he'].includes(left[0]?.value ?? '')
  const spoken = isThey && before === null && it.length === 1 ? { ...ANYONE, nouns: [antecedent(left[0] as Token, it)], isAnyone: false } : null
  const subject = (left.length === 0 || isThey) && before !== null ? before.subject : (spoken ?? subjectOf(left, scope))
  return ruling(marker.value, marker, subject, right, it.length > 0 ? it : [...subject.nouns, ...subject.except].flatMap(ofNouns), scope)
}

/** "May not", "cannot", "are not allowed to": where all are spoken of, not all of them can be meant. "Must not" is said to each. */
function isWeak({ text }: Token): boolean {
  return !/^(?:must|shall|should|do|does|has|have)\b|\b(?:forbidden|prohibited|barred|banned|disallowed)\b/i.test(text)
}

function isWhole(token: Token | undefined): boolean {
  return token !== undefined && (token.code === 'd' || token.code === '1' || token.code === 'B') && /^(?:all|every|each|everyone|everybody|both)\b/i.test(token.text)
}

/** "the owner of a document", "users who are the owner of a document": the document, which a later "it" can mean. */
function ofNouns({ modifiers }: Noun): Noun[] {
  return modifiers.flatMap((modifier) => {
    const said = modifier.kind === 'such' ? modifier.condition : null
    const inner = modifier.kind === 'of' ? [modifier.noun] : said?.kind === 'isa' ? ofNouns(said.noun) : said === null ? [] : nounsOf(said)
    return inner.flatMap((one) => (one.modifiers.some(({ kind }) => kind === 'of') ? ofNouns(one) : [one]))
  })
}

function verbToken(text: string): Token {
  return { code: 'w', text, value: 'verb', tags: new Set(['Verb']) }
}

type Adjuncts = {
  readonly body: readonly Token[]
  readonly when: Condition | null
  readonly unless: Condition | null
  /** The condition stands behind "only". */
  readonly only: boolean
  readonly except: readonly Noun[]
  /** Behind "except by": those who act after all. */
  readonly exceptBy: readonly Noun[]
  readonly hasWithout: boolean
}
const EMPTY: Adjuncts = { body: [], when: null, unless: null, only: false, except: [], exceptBy: [], hasWithout: false }

/** Takes conditions and exceptions off the end of a clause. */
function adjuncts(tokens: readonly Token[], scope: Scope, isPassive = false): Adjuncts {
  const marks = tokens.flatMap(({ code, text }, index) =>
    code === 's' || (code === 'x' && !isJoint(tokens, index) && denied(tokens.slice(index), scope) !== 0) || (code === 'p' && /^to$/i.test(text) && /^pk#w+(?:$|[,sx])/.test(codes(tokens.slice(index)))) || (code === 'o' && /^op[^y]?/.test(codes(tokens.slice(index))) && !/^by$/i.test(tokens[index + 1]?.text ?? '')) || (code === 'p' && /^in$/i.test(text) && isOccasion(tokens, index, scope)) ? [index] : [],
  )
  const bounds = [...marks, tokens.length]
  const body = withoutTrail(tokens.slice(0, bounds[0]))
  let when: Condition | null = null
  let unless: Condition | null = null
  let only = false
  const except: Noun[] = []
  const exceptBy: Noun[] = []
  for (const [order, start] of marks.entries()) {
    const marker = tokens[start] as Token
    const part = withoutTrail(tokens.slice(start + (marker.code === 'p' ? 0 : 1), bounds[order + 1]))
    if (marker.code === 'p' && part[1]?.code === 'k') {
      // "to no more than 10 recipients": how many there are.
      when = both(when, conditionOf([...part.slice(3), { code: 'b', text: 'is', value: '', tags: new Set() }, ...part.slice(1, 3)], null, scope))
    } else if (opensAgent(part) && (marker.code === 'x' || marker.value === 'unless')) {
      if (/^but not$/i.test(marker.text)) throw new Unread('write a sentence for what follows `but not`')
      if (!isPassive) throw new Unread('`by` whom, where nothing is done by anyone? say who may')
      if (except.length + exceptBy.length > 0 || unless !== null) throw new Unread('two exceptions: write a sentence for each')
      if (when !== null || order + 1 < marks.length) throw new Unread('the condition can be that of the rule or that of the exception: write a sentence for each')
      exceptBy.push(...nounList(part.slice(1), scope, true).nouns)
    } else if (marker.code === 'x') {
      if (part[0]?.code === 'p') unless = one(unless, conditionOf(part, null, scope))
      else if (except.length > 0) throw new Unread('two exceptions: write a sentence for each')
      else except.push(...nounList(part, scope).nouns)
    } else if (marker.value === 'unless') {
      // "without approval" is the absence of it, "without their consent" would need whose.
      unless = one(unless, conditionOf(part, null, scope))
    } else {
      if (when !== null && marker.code !== 'p') throw new Unread('two conditions: join them with `and` or `or`')
      when = both(when, conditionOf(part, null, scope))
      if (marker.value === 'only' || marker.code === 'o') only = true
    }
  }
  return { body, when, unless, only, except, exceptBy, hasWithout: marks.some((index) => /^without$/i.test((tokens[index] as Token).text)) }
}

/** "by senior staff": who acts, and never what the request is like. */
function opensAgent(tokens: readonly Token[]): boolean {
  return tokens[0]?.code === 'p' && /^by$/i.test(tokens[0].text)
}

function one(before: Condition | null, next: Condition): Condition {
  if (before !== null) throw new Unread('two exceptions: join them with `or`')
  return next
}

/** "but" between clauses or adjectives joins; before a noun it excepts. */
function isJoint(tokens: readonly Token[], index: number): boolean {
  const token = tokens[index] as Token
  if (!/^but/i.test(token.text)) return false
  const before = codes(tokens.slice(0, index))
  return /[rs][^M]*$/.test(before) && /[bh][^M]*$/.test(before) && /^x~?[wbhp](?:$|[,sx])/.test(codes(tokens.slice(index)))
}

/** "in an emergency": the name of a yes or no. */
function isOccasion(tokens: readonly Token[], index: number, scope: Scope): boolean {
  const match = /^pd(w+)(?=$|[,sx])/.exec(codes(tokens.slice(index)))
  if (match === null) return false
  const words = tokens.slice(index + 2, index + match[0].length).map(({ text }) => text.toLowerCase())
  return scope.lexicon.types(words).length === 0 && scope.lexicon.entries.some(({ kind, phrase }) => kind === 'attribute' && phrase.join(' ') === words.join(' '))
}

/** Subject, force and an active predicate. */
function ruling(force: string, marker: Token | null, subject: Subject, right: readonly Token[], it: readonly Noun[], scope: Scope, known?: readonly Deed[]): Clause {
  const rest = adjuncts(right, scope)
  const tail = denied(rest.body, scope)
  if ((force === 'forbid' || subject.isNone) && known === undefined && deniesAll(rest.body)) throw new Unread('it denies of all of them together, or of each: say `any …`, or which', true)
  const first = known === undefined ? predicate(tail === null ? rest.body : rest.body.slice(0, tail), it, scope) : { deeds: known, isNarrowed: false }
  const second = tail === null ? null : predicate(behindVerb(rest.body.slice(tail + 1), scope), mentionedIn(first.deeds), scope)
  // "may read, but not edit, charts"
  const isShared = second !== null && first.deeds.every(({ object }) => object.length === 0)
  const done = isShared ? { ...first, deeds: first.deeds.map((deed) => ({ ...deed, object: second.deeds[0]?.object ?? [] })) } : first
  if (known !== undefined) ended(rest.body, 0)
  if (done.isNarrowed && rest.when !== null) throw new Unread('`only` before the object beside a condition: write a sentence for each')
  const meant = second === null ? otherwise(done.deeds, { when: rest.when, unless: rest.unless, isPermit: force !== 'forbid' && !subject.isNone, isOnly: force === 'only' || rest.only || done.isNarrowed, isApart: setsApart(right) }, scope) : { deeds: done.deeds, when: rest.when, unless: rest.unless }
  const clause = permission({ code: 'M', text: '', value: force, tags: new Set() }, subject, meant.deeds, { ...rest, when: meant.when, unless: meant.unless, only: rest.only || done.isNarrowed }, [...it, ...mentionedIn(done.deeds)])
  if (force === 'only' && second === null && rest.when === null && rest.unless === null && rest.except.length === 0 && isNarrowedByWords(done.deeds, scope)) {
    const about = scope.other(3)
    if (about > 0) return { ...clause, statements: clause.statements.map((one): Statement => ({ ...one, only: about === 1 ? 'deed' : 'all' })) }
  }
  if (second === null) return clause
  if (marker === null || marker.value !== 'permit' || subject.isNone || subject.isOnly) {
    throw new Unread('write a sentence for what follows `but not`')
  }
  if (rest.when !== null || rest.unless !== null || rest.except.length > 0) throw new Unread('write a sentence for what follows `but not`')
  const forbidden = permission({ ...marker, value: 'forbid' }, subject, second.deeds, EMPTY, clause.mentioned)
  return { ...clause, statements: [...clause.statements, ...forbidden.statements], deeds: [...done.deeds, ...second.deeds] }
}

/** "all charts", "every chart" behind the verbs. */
function deniesAll(tokens: readonly Token[]): boolean {
  const behind = tokens.findIndex(({ code }) => !/[wDc,B]/.test(code))
  const first = tokens[behind]
  return behind > 0 && first?.code === 'd' && /^(?:all|every)\b/i.test(first.text)
}

/** A comma before the condition or the exception. */
function setsApart(tokens: readonly Token[]): boolean {
  return tokens.some(({ code }, index) => code === ',' && /[sx]/.test(tokens[index + 1]?.code ?? ''))
}

/** Without the comma in "edit, charts". */
function behindVerb(tokens: readonly Token[], scope: Scope): readonly Token[] {
  const length = verbLength(tokens, 0, scope)
  return tokens[length]?.code === ',' ? [...tokens.slice(0, length), ...tokens.slice(length + 1)] : tokens
}

/** Where "but not close them" begins. */
function denied(tokens: readonly Token[], scope: Scope): number | null {
  const opens = (index: number) => verbLength(tokens, index + 1, scope) > 0 && /^w+(?:[udyfe,]|$)/.test(codes(tokens.slice(index + 1))) && isBase(tokens[index + 1] as Token, scope) && !isParticiple(tokens[index + 1] as Token)
  const at = tokens.findIndex(({ code, text }, index) => code === 'x' && /^but not$/i.test(text) && opens(index) && !isJoint(tokens, index))
  return at < 0 ? null : at
}

/** "may be read by nurses", "may only be read by nurses", "must not be exported". */
function passive(marker: Token, left: readonly Token[], right: readonly Token[], it: readonly Noun[], scope: Scope): Clause {
  const isOnlyBefore = right[0]?.code === 'o'
  // "by anyone but its author".
  const theirs = right.map((token, index) => (token.code === 'y' && token.value === 'it' && right[index - 1]?.code === 'x' ? { ...token, value: 'they' } : token))
  const rest = adjuncts(theirs.slice(isOnlyBefore ? 2 : 1), scope, true)
  const isPronoun = codes(left) === 'u' && it.length > 0
  const object: Subject = isPronoun ? { ...ANYONE, nouns: [antecedent(left[0] as Token, it)], isAnyone: false } : patientOf(subjectOf(left, scope), it)
  if (object.isOnly) throw new Unread('say `may be … only by`, or `only … may`')
  const body = rest.body
  const by = body.findIndex(({ code, text }) => code === 'p' && text.toLowerCase() === 'by')
  const isOnlyBy = by > 0 && body[by - 1]?.code === 'o'
  const verbs = verbPhrases(body.slice(0, by < 0 ? body.length : isOnlyBy ? by - 1 : by), scope)
  const end = body.findIndex(({ code }, index) => index > by && code === 'x')
  const acting = by < 0 ? { nouns: [], except: [], isOnly: false, isNone: false, isAnyone: true } : agentOf(body.slice(by + 1), object, scope)
  const agents = { ...acting, except: [...acting.except, ...rest.exceptBy.map((one) => ofThing(one, object, scope))] }
  if (rest.exceptBy.length > 0 && rest.only) throw new Unread('`only` with an exception: write a sentence for each')
  if (end >= 0 && by < 0) throw new Unread(`\`${say(body)}\` is not understood`)
  const deeds = verbs.flatMap(({ verb, tails }) => [{ verb, object: object.nouns, tails }])
  const isOnly = marker.value === 'only' || isOnlyBefore || isOnlyBy
  const force = object.isNone ? negated(marker) : marker.value
  if (isOnly && agents.isNone) throw new Unread('a double negative: say who may')
  // "Documents except sealed ones may be read": an exception of the object.
  const isObject = (one: Noun) => one.words.length === 0 || object.nouns.some(({ words }) => scope.lexicon.types(headOf(words, scope)).some((type) => scope.lexicon.types(headOf(one.words, scope)).includes(type)))
  const except = [...object.except, ...rest.except.map((one) => (by < 0 || isObject(one) ? one : ofThing(one, object, scope)))]
  if (isOnly && by >= 0) {
    if (force === 'forbid' || rest.only || agents.except.length > 0) throw new Unread('say `only … may`')
    const only = permission({ ...marker, value: 'permit' }, { ...agents, isOnly: true }, deeds, { ...rest, except }, it)
    return only
  }
  if (agents.isNone) {
    return permission({ ...marker, value: negated({ ...marker, value: force }) }, { ...agents, isNone: false }, deeds, { ...rest, except }, it)
  }
  const value = isOnly && force !== 'forbid' ? 'only' : force
  return permission({ ...marker, value }, agents, deeds, { ...rest, except }, [...it, ...mentionedIn(deeds)])
}

/** "If a patient is a minor, their chart must not be exported": theirs is the patient's; with nobody named, it is anyone's guess. */
function patientOf(object: Subject, it: readonly Noun[]): Subject {
  const owned = (one: Noun): Noun => {
    if (!one.modifiers.some(({ kind }) => kind === 'own')) return one
    const owner = antecedent({ code: 'u', text: 'their', value: 'they', tags: new Set() }, it)
    return { ...one, modifiers: one.modifiers.map((modifier) => (modifier.kind === 'own' ? { kind: 'of', preposition: 'of', noun: owner } : modifier)) }
  }
  return { ...object, nouns: object.nouns.map(owned) }
}

function negated(marker: Token): string {
  if (marker.value !== 'permit') throw new Unread('a double negative: say who may, or who must not')
  return 'forbid'
}

/** Those who do it. "their owner" is the owner of the thing that it is done to. */
function agentOf(tokens: readonly Token[], object: Subject, scope: Scope): Subject {
  const theirs = tokens.map((token) => (token.code === 'y' && token.value === 'it' ? { ...token, value: 'they' } : token))
  const agent = subjectOf(theirs.filter(({ code, text }, index) => !(code === 'p' && text.toLowerCase() === 'by' && tokens[index - 1]?.code === 'c')), scope)
  const owned = (one: Noun) => ofThing(one, object, scope)
  return { ...agent, nouns: agent.nouns.map(owned), except: agent.except.map(owned) }
}

function ofThing(one: Noun, object: Subject, scope: Scope): Noun {
  if (!one.modifiers.some(({ kind }) => kind === 'own')) return one
  const [thing] = object.nouns
  if (thing === undefined || object.nouns.length > 1) throw new Unread(`whose ${one.words.join(' ')}?`)
  const rest = one.modifiers.filter(({ kind }) => kind !== 'own')
  return { ...one, modifiers: [{ kind: 'of', preposition: 'of', noun: noun(headOf(thing.words, scope)) }, ...rest] }
}

/** The words of a noun that name its type, or its last. */
function headOf(words: readonly string[], scope: Scope): readonly string[] {
  return words.map((_, index) => words.slice(index)).find((part) => scope.lexicon.types(part).length > 0) ?? words.slice(-1)
}

/** "themselves": each subject as its own object. */
function selves(subject: Subject): Noun[] {
  if (subject.nouns.length === 0) throw new Unread('`themselves` could be anyone: name them')
  return subject.nouns.map(({ words }) => noun(words, { modifiers: [{ kind: 'own', isSaid: true }] }))
}

/** Puts force, subject and deeds together, minding nobody and only. */
function permission(marker: Token, subject: Subject, deeds: readonly Deed[], rest: Adjuncts, mentioned: readonly Noun[]): Clause {
  const force = subject.isNone ? negated(marker) : marker.value
  const isPermit = force === 'permit' || force === 'only'
  const isNarrow = force === 'only' || rest.only
  if (!isPermit && (isNarrow || subject.isOnly)) throw new Unread('`only` with a prohibition: say who may')
  // "may export without consent": it is not needed, or must be absent?
  if (isPermit && rest.hasWithout) {
    throw new Unread('a permission `without` something: say that it is not needed by leaving it out, or `unless` it is there')
  }
  if (force === 'only' && rest.only) throw new Unread('`only` twice: write a sentence for each')
  if (subject.isOnly && isNarrow) throw new Unread('`only` twice: write a sentence for each')
  if (subject.isOnly && subject.except.length > 0) throw new Unread('`only` with an exception: write a sentence for each')
  const made = statement({
    force: isPermit ? 'permit' : 'forbid',
    only: subject.isOnly ? 'subject' : isNarrow && rest.when === null ? 'condition' : null,
    subject: subject.nouns,
    exceptSubject: subject.except,
    deeds: deeds.map((deed) => ({ ...deed, object: deed.object.flatMap((one) => (one === SELF ? selves(subject) : [one])) })),
    when: rest.when,
    unless: rest.unless,
    except: rest.except,
  })
  // "may read sealed charts only if C": C is needed for these charts, and says nothing of others.
  const otherwise: Statement[] = isNarrow && rest.when !== null ? [{ ...made, force: 'forbid', when: null, unless: either(rest.unless, rest.when) }] : []
  return { statements: [made, ...otherwise], subject, deeds, mentioned }
}

/** "must be certified to download", "must be logged", "must notify". */
function duty(left: readonly Token[], right: readonly Token[], it: readonly Noun[], scope: Scope): Clause {
  const text = codes(right)
  if (!/^[bh]/.test(text)) return activeDuty(left, right, it, scope)
  const opens = (index: number) => verbLength(right, index + (right[index + 1]?.code === 'b' ? 2 : 1), scope) > 0
  const to = right.findIndex(({ code, text: word }, index) => code === 'p' && word.toLowerCase() === 'to' && opens(index))
  if (to > 0) {
    const subject = subjectOf(left, scope)
    if (subject.isNone || subject.isOnly) throw new Unread('say who must, without `no` or `only`')
    const rest = adjuncts(right.slice(to + 1), scope)
    const requirement = conditionOf([THEY, ...right.slice(0, to)], null, scope)
    const isDone = /^b/.test(codes(right.slice(to + 1)))
    if (isDone) {
      const verbs = verbPhrases(right.slice(to + 2), scope)
      const deeds = verbs.map(({ verb, tails }): Deed => ({ verb, object: subject.nouns, tails }))
      const needed = conditionOf([IT, ...right.slice(0, to)], null, scope)
      return { statements: [statement({ force: 'require', deeds, requirement: needed })], subject: ANYONE, deeds, mentioned: it }
    }
    const { deeds } = predicate(rest.body, it, scope)
    if (rest.only) throw new Unread('`only` is not understood in a requirement')
    const { when, unless } = rest
    const made = statement({ force: 'require', subject: subject.nouns, exceptSubject: subject.except, deeds, requirement, when, unless })
    return { statements: [made], subject, deeds, mentioned: it }
  }
  const deeds = nominal(left, scope)
  const { body, when, unless, only, except } = adjuncts(right, scope)
  if (only || except.length > 0) throw new Unread('`only` is not understood in a duty')
  const made = dutiesOf(body).map((part) => {
    const isState = /^b?p?[wd]+(?:p[wd]+)?$/.test(codes(part))
    const requirement: Condition | null = isState ? { kind: 'is', of: null, words: part.filter(({ code }) => /[wp]/.test(code)).map(({ text: word }) => word) } : null
    return statement({ force: requirement === null ? 'oblige' : 'require', deeds, requirement, when, unless, duty: dutyOf(part, scope) })
  })
  return { statements: made, subject: ANYONE, deeds, mentioned: mentionedIn(deeds) }
}

const THEY: Token = { code: 'u', text: 'they', value: 'they', tags: new Set() }
const IT: Token = { code: 'u', text: 'it', value: 'it', tags: new Set() }

/** "Anyone who exports a chart must notify the council.", "Nurses must log every export". */
function activeDuty(left: readonly Token[], right: readonly Token[], it: readonly Noun[], scope: Scope): Clause {
  const who = left.findIndex(({ code }) => code === 'r')
  if (who > 0) {
    const body = left.slice(who + 1)
    if (verbLength(body, 0, scope) > 0) {
      const subject = subjectOf(left.slice(0, who), scope)
      if (subject.isNone || subject.isOnly) throw new Unread('say who must, without `no` or `only`')
      return oblige(subject, predicate(body, it, scope).deeds, right, scope)
    }
  }
  const subject = subjectOf(left, scope)
  if (subject.isNone || subject.isOnly) throw new Unread('say who must, without `no` or `only`')
  const [verb, ...object] = right
  if (verb?.code !== 'w' || scope.lexicon.isVerb([verb.text])) {
    throw new Unread('what must be done cannot be enforced: say what is forbidden otherwise')
  }
  const { body, when, unless, only } = adjuncts(object, scope)
  if (only) throw new Unread('`only` is not understood in a duty')
  const deeds = nominal(body, scope)
  const made = statement({ force: 'oblige', subject: subject.nouns, exceptSubject: subject.except, deeds, when, unless, duty: [verb.text] })
  return { statements: [made], subject, deeds, mentioned: it }
}
