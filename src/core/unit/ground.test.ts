import assert from 'node:assert/strict'
import { test } from 'node:test'

import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { assemble } from '#core/policy/assemble.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import { groundStatement } from './ground.ts'
import { noun, statement, type Condition, type Deed, type Modifier, type Noun, type Statement } from './statement.ts'

const CLINIC = parseSchema(`
  entity Ward;
  entity Role enum ["nurse aide", "manager"];
  entity Nurse { ward: Ward, onDuty: Bool, role: Role };
  entity Doctor { ward: Ward, treats: Set<Patient> };
  entity Patient { ward: Ward, consentGiven?: Bool };
  entity Chart { patient: Patient, sealed: Bool, pages: Long, origin: String };
  entity Bill { @doc("In euros.") amount: Long, payer: Patient, clerk: Nurse };
  action viewChart, exportChart appliesTo { principal: [Nurse, Doctor, Patient], resource: [Chart], context: { emergency: Bool } };
  action viewBill appliesTo { principal: [Nurse, Patient], resource: [Bill] };
  action sendReminder appliesTo { principal: [Nurse], resource: [Patient], context: { urgent: Bool } };
`)

const OWN: Modifier = { kind: 'own', isSaid: true }
const such = (condition: Condition): Modifier => ({ kind: 'such', condition })
const of = (inner: Noun, preposition = 'of'): Modifier => ({ kind: 'of', preposition, noun: inner })
const is = (...words: string[]): Condition => ({ kind: 'is', of: { kind: 'this' }, words })
const view = (object: readonly Noun[], verb = 'view'): Deed => ({ verb: [verb], object, tails: [] })
const NURSES = noun(['nurses'])
const CHARTS = noun(['charts'])

/** The rules of a statement, without annotations and on one line each; strictly validated. */
function rules(parts: Partial<Statement> & Pick<Statement, 'force'>, schema: Schema = CLINIC): string[] {
  const grounded = groundStatement(statement(parts), schema)
  assert.ok(grounded.kind === 'norms', grounded.kind === 'unread' ? grounded.because : '')
  const norms = grounded.norms.map((norm, index) => ({ id: `N${index}`, sentence: 1, source: '', ...norm }))
  const text = renderRules(assemble(norms, schema))
  parsePolicies(text, schema)
  return text.replaceAll(/@(?:id|sentence)\("[^"]*"\)\n/g, '').trim().split('\n\n').map((rule) => rule.replaceAll('\n', ' '))
}

function because(parts: Partial<Statement> & Pick<Statement, 'force'>, schema: Schema = CLINIC): string {
  const grounded = groundStatement(statement(parts), schema)
  assert.equal(grounded.kind, 'unread')
  return grounded.kind === 'unread' ? grounded.because : ''
}

test('who, what and on which become a rule; negating it turns the rule round and changes nothing else', () => {
  const [permit] = rules({ force: 'permit', subject: [NURSES], deeds: [view([CHARTS])] })
  const [forbid] = rules({ force: 'forbid', subject: [NURSES], deeds: [view([CHARTS])] })
  assert.equal(permit, 'permit (principal is Nurse, action == Action::"viewChart", resource is Chart);')
  assert.equal(forbid, permit?.replace('permit', 'forbid'))
})

test('the object decides between actions of one verb; without an object it is all of them', () => {
  assert.match(rules({ force: 'permit', subject: [NURSES], deeds: [view([noun(['bills'])])] })[0] ?? '', /viewBill/)
  assert.match(rules({ force: 'permit', subject: [NURSES], deeds: [view([])] })[0] ?? '', /viewBill.*viewChart/)
})

test('a noun in an action\'s name belongs to the verb, and what follows tells the object', () => {
  const reminders = noun(['urgent', 'reminders'], { modifiers: [of(noun(['patients']), 'to')] })
  assert.deepEqual(rules({ force: 'permit', subject: [NURSES], deeds: [view([reminders], 'send')] }), ['permit (principal is Nurse, action == Action::"sendReminder", resource is Patient) when { context.urgent };'])
})

test('only who: they may, and nobody else', () => {
  assert.deepEqual(rules({ force: 'permit', only: 'subject', subject: [noun(['doctors'])], deeds: [view([CHARTS], 'export')] }), [
    'permit (principal is Doctor, action == Action::"exportChart", resource is Chart);',
    'forbid (principal, action == Action::"exportChart", resource is Chart) when { principal is Nurse || principal is Patient };',
  ])
})

test('only if: what the condition does not cover is forbidden', () => {
  const duty: Condition = { kind: 'is', of: { kind: 'they' }, words: ['on', 'duty'] }
  assert.deepEqual(rules({ force: 'permit', only: 'condition', subject: [NURSES], deeds: [view([CHARTS])], when: duty }), [
    'permit (principal is Nurse, action == Action::"viewChart", resource is Chart) when { principal.onDuty };',
    'forbid (principal is Nurse, action == Action::"viewChart", resource is Chart) unless { principal.onDuty };',
  ])
})

test('may only do this, with nothing that narrows it: every other action of theirs is forbidden', () => {
  const [permit, ...forbids] = rules({ force: 'permit', only: 'condition', subject: [noun(['patients'])], deeds: [view([CHARTS])] })
  assert.match(permit ?? '', /^permit .*viewChart/)
  assert.match(forbids.join('\n'), /^forbid \(principal is Patient, action in \[Action::"exportChart", Action::"viewBill"\]/)
})

test('an optional attribute is guarded: where it is absent the plain condition fails and its negation holds', () => {
  const consent: Condition = { kind: 'is', of: { kind: 'noun', noun: noun(['patient']) }, words: ['given', 'consent'] }
  assert.deepEqual(rules({ force: 'forbid', deeds: [view([CHARTS], 'export')], unless: consent }), [
    'forbid (principal, action == Action::"exportChart", resource is Chart) unless { resource.patient has consentGiven && resource.patient.consentGiven };',
  ])
  assert.match(rules({ force: 'permit', subject: [NURSES], deeds: [view([CHARTS])], when: { kind: 'not', of: consent } })[0] ?? '', /when \{ !\(resource\.patient has consentGiven && /)
})

test('ownership, shared place and relation find the attributes that carry them', () => {
  const read = (subject: string, object: Noun) => rules({ force: 'permit', subject: [noun([subject])], deeds: [view([object])] })[0]?.replace(/^.* when /, '')
  assert.equal(read('patients', noun(['chart'], { modifiers: [OWN] })), '{ resource.patient == principal };')
  assert.equal(read('nurses', noun(['charts'], { modifiers: [of(noun(['ward'], { modifiers: [OWN] }))] })), '{ principal.ward == resource.patient.ward };')
  const treated = noun(['patients'], { modifiers: [such({ kind: 'relates', subject: { kind: 'they' }, verb: ['treat'], object: { kind: 'this' } })] })
  assert.equal(read('doctors', noun(['charts'], { modifiers: [of(treated)] })), '{ principal.treats.contains(resource.patient) };')
})

test('a relation is never read backwards', () => {
  const managed = parseSchema('entity U { supervisor: U, supervises: Set<U> }; entity D { owner: U }; action see appliesTo { principal: U, resource: D };')
  const who = (subject: 'they' | 'owner') => {
    const owner = { kind: 'noun', noun: noun(['owner']) } as const
    const they = { kind: 'subject' } as const
    const relates: Condition = { kind: 'relates', subject: subject === 'they' ? they : owner, verb: ['supervises'], object: subject === 'they' ? owner : they }
    return because({ force: 'permit', deeds: [{ verb: ['see'], object: [], tails: [] }], when: relates }, managed)
  }
  // Both attributes say it, each from its side: a question, not a guess, in either direction.
  assert.match(who('they'), /say which/)
  assert.match(who('owner'), /say which/)
  const single = parseSchema('entity U { supervisor: U }; entity D { owner: U }; action see appliesTo { principal: U, resource: D };')
  const relates: Condition = { kind: 'relates', subject: { kind: 'subject' }, verb: ['supervises'], object: { kind: 'noun', noun: noun(['owner']) } }
  assert.match(rules({ force: 'permit', deeds: [{ verb: ['see'], object: [], tails: [] }], when: relates }, single)[0] ?? '', /when \{ resource\.owner\.supervisor == principal \}/)
})

test('roles, values and comparisons', () => {
  const read = (subject: Noun, object: Noun) => rules({ force: 'permit', subject: [subject], deeds: [view([object])] })[0]?.replace(/^.* when /, '')
  assert.equal(read(noun(['managers']), CHARTS), '{ principal.role == Role::"manager" };')
  assert.equal(read(NURSES, noun(['unsealed', 'charts'])), '{ !resource.sealed };')
  const pages: Condition = { kind: 'compare', left: { kind: 'attribute', words: ['pages'], of: { kind: 'this' } }, operator: '<=', values: [{ kind: 'number', digits: '500', unit: null }] }
  assert.equal(read(NURSES, noun(['charts'], { modifiers: [such(pages)] })), '{ resource.pages <= 500 };')
  const origin: Condition = { kind: 'compare', left: { kind: 'attribute', words: ['origin'], of: { kind: 'this' } }, operator: '==', values: ['EU', 'UK'].map((value) => ({ kind: 'text', value, quoted: true })) }
  assert.equal(read(NURSES, noun(['charts'], { modifiers: [such(origin)] })), '{ resource.origin == "EU" || resource.origin == "UK" };')
})

test('a unit that the attribute does not name is refused, a currency too', () => {
  const over = (unit: string, attribute = 'amount'): Partial<Statement> & Pick<Statement, 'force'> => {
    const condition: Condition = { kind: 'compare', left: { kind: 'attribute', words: [attribute], of: null }, operator: '>', values: [{ kind: 'number', digits: '500', unit }] }
    return { force: 'forbid', deeds: [view([noun([attribute === 'amount' ? 'bills' : 'charts'])])], when: condition }
  }
  assert.match(rules(over('EUR'))[0] ?? '', /resource\.amount > 500/)
  assert.match(rules(over('€'))[0] ?? '', /resource\.amount > 500/)
  for (const unit of ['days', 'cents', '$', 'dollars']) assert.match(because(over(unit)), /amount over 500 .*write the number alone/)
  assert.match(because(over('EUR', 'pages')), /pages over 500 EUR/)
})

test('obligations: known duties, and all that is said of them', () => {
  const grounded = groundStatement(statement({ force: 'oblige', deeds: [view([CHARTS], 'export')], duty: ['notify', 'the', 'council'] }), CLINIC)
  assert.deepEqual(grounded.kind === 'norms' && grounded.norms.map(({ modality, obligation }) => [modality, obligation]), [['oblige', 'notify'], ['oblige', 'notify council']])
  assert.match(because({ force: 'oblige', deeds: [view([CHARTS])], duty: ['applaud'] }), /`applaud` is neither/)
})

test('doubt is a question: two attributes, two owners, an unknown word, an impossible request', () => {
  const cases: [RegExp, Partial<Statement> & Pick<Statement, 'force'>][] = [
    [/`zorgle` says nothing that the schema knows of `charts`/, { force: 'permit', subject: [NURSES], deeds: [view([noun(['zorgle', 'charts'])])] }],
    [/`zorgles` is nothing that the schema names/, { force: 'permit', subject: [noun(['zorgles'])], deeds: [view([CHARTS])] }],
    [/no action of the schema is called `zorgle`/, { force: 'permit', subject: [NURSES], deeds: [view([CHARTS], 'zorgle')] }],
    [/whose it is/, { force: 'permit', subject: [NURSES], deeds: [view([noun(['charts'], { modifiers: [OWN] })])] }],
    [/`of ward`|`ward`/, { force: 'permit', subject: [NURSES], deeds: [view([noun(['charts'], { modifiers: [of(noun(['ward'], { isDefinite: true }))] })])] }],
    [/Doctor|`view`|`bills`/, { force: 'permit', subject: [noun(['doctors'])], deeds: [view([noun(['bills'])])] }],
  ]
  for (const [reason, parts] of cases) assert.match(because(parts), reason)
})

test('what is said of a list holds for each of it, or the list is unread', () => {
  const emergency: Condition = { kind: 'is', of: null, words: ['emergency'] }
  const each = (objects: Noun[]) => groundStatement(statement({ force: 'forbid', deeds: [view(objects)], unless: emergency }), CLINIC)
  assert.equal(each([CHARTS]).kind, 'norms')
  // Bills know no emergency: what is forbidden of them would be so always.
  const uneven = each([CHARTS, noun(['bills'])])
  assert.ok(uneven.kind === 'unread' && uneven.isOpen === true && uneven.because.includes('of `bills`'), JSON.stringify(uneven))
})

test('a word that nobody knows is never read as if it were not there, wherever it stands', () => {
  const treated = noun(['patients'], { modifiers: [such({ kind: 'relates', subject: { kind: 'they' }, verb: ['treat'], object: { kind: 'this' } })] })
  const readable: Statement[] = [
    statement({ force: 'permit', only: 'subject', subject: [noun(['doctors'])], deeds: [view([noun(['sealed', 'charts'], { modifiers: [of(treated)] })])] }),
    statement({ force: 'forbid', exceptSubject: [noun(['managers'])], deeds: [view([CHARTS])], when: { kind: 'not', of: { kind: 'is', of: null, words: ['emergency'] } }, except: [noun(['sealed', 'charts'])] }),
    statement({ force: 'require', subject: [NURSES], deeds: [view([CHARTS])], requirement: { kind: 'is', of: { kind: 'they' }, words: ['on', 'duty'] } }),
    statement({ force: 'permit', subject: [NURSES], deeds: [view([noun(['urgent', 'reminders'], { modifiers: [of(noun(['patients']), 'to')] })], 'send')] }),
    statement({ force: 'permit', subject: [noun(['nurses'], { modifiers: [of(noun(['ward'], { modifiers: [OWN] })), such(is('on', 'duty'))] })], deeds: [{ ...view([CHARTS]), tails: [{ preposition: 'in', noun: noun(['emergency']) }] }] }),
  ]
  let tried = 0
  for (const one of readable) {
    // The twin that shows the test can fail: without the word each of them is read.
    assert.equal(groundStatement(one, CLINIC).kind, 'norms', JSON.stringify(groundStatement(one, CLINIC)))
    for (const spoilt of spoil(one)) {
      tried++
      assert.equal(groundStatement(spoilt as Statement, CLINIC).kind, 'unread', JSON.stringify(spoilt))
    }
  }
  assert.ok(tried > 50, `${tried}`)
})

/** Every statement with one word more. */
function* spoil(part: unknown): Generator<unknown> {
  if (Array.isArray(part)) {
    for (const [index, inner] of part.entries()) for (const one of spoil(inner)) yield part.with(index, one)
  } else if (typeof part === 'object' && part !== null) {
    for (const [key, inner] of Object.entries(part)) {
      const isWords = (key === 'words' || key === 'verb') && Array.isArray(inner)
      if (isWords) for (let at = 0; at <= inner.length; at++) yield { ...part, [key]: inner.toSpliced(at, 0, 'zorgle') }
      else for (const one of spoil(inner)) yield { ...part, [key]: one }
    }
  }
}

test('reading the same statement again gives the same norms, in the same order', () => {
  const one = statement({ force: 'permit', only: 'subject', subject: [NURSES], deeds: [view([])] })
  assert.equal(JSON.stringify(groundStatement(one, CLINIC)), JSON.stringify(groundStatement(one, CLINIC)))
})

test('words that only look alike are not taken for each other', () => {
  const schema = parseSchema(`
    entity User { internal: Bool, final: Bool, accountManager?: User };
    entity Table { production: Bool, approved: Bool, accountManager: User };
    action read appliesTo { principal: [User], resource: [Table], context: { hasApproval: Bool } };
  `)
  const read = (subject: Noun, object: Noun, when: Condition | null = null): Partial<Statement> & Pick<Statement, 'force'> => ({ force: 'permit', subject: [subject], deeds: [view([object], 'read')], when })
  assert.match(because(read(noun(['interns']), noun(['tables'])), schema), /interns/)
  assert.match(because(read(noun(['fine', 'users']), noun(['tables'])), schema), /fine/)
  assert.match(because(read(noun(['users']), noun(['product', 'tables'])), schema), /product/)
  assert.match(because(read(noun(['users']), noun(['approvers', 'tables'])), schema), /approvers/)
  assert.match(because(read(noun(['users']), noun(['approving', 'tables'])), schema), /approving/)
  assert.match(because(read(noun(['users']), noun(['tables'], { modifiers: [OWN] })), schema), /whose it is/, 'an account manager is no owner')
  // The twins: the words themselves are read.
  assert.equal(rules(read(noun(['internal', 'users']), noun(['approved', 'production', 'tables'])), schema).length, 1)
})

test('a preposition that turns the sense round is never dropped', () => {
  const schema = parseSchema(`
    entity Office;
    entity User { office: Office, role: Role };
    entity Role enum ["admin", "guest"];
    entity Paper { office: Office };
    action read appliesTo { principal: [User], resource: [Paper], context: { hospital: Bool, outsideHours: Bool } };
  `)
  const tail = (preposition: string, ...words: string[]): Partial<Statement> & Pick<Statement, 'force'> => ({ force: 'permit', subject: [noun(['users'])], deeds: [{ verb: ['read'], object: [noun(['papers'])], tails: [{ preposition, noun: noun(words) }] }] })
  assert.match(because(tail('outside', 'hospital'), schema), /`outside hospital`/)
  assert.match(because(tail('without', 'hospital'), schema), /`without hospital`/)
  assert.match(rules(tail('outside', 'hours'), schema)[0] ?? '', /context\.outsideHours/)
  assert.match(rules(tail('in', 'hospital'), schema)[0] ?? '', /context\.hospital/)
  const placed = (preposition: string): Partial<Statement> & Pick<Statement, 'force'> => ({ force: 'permit', subject: [noun(['users'])], deeds: [{ verb: ['read'], object: [noun(['papers'], { modifiers: [of(noun(['office'], { modifiers: [OWN] }), preposition)] })], tails: [] }] })
  assert.match(because(placed('outside'), schema), /office/)
  assert.match(rules(placed('in'), schema)[0] ?? '', /principal\.office == resource\.office/)
})

test('a type in front of a modifier stays a type where the resource has an attribute of that name', () => {
  const schema = parseSchema('entity Employee { onLeave: Bool }; entity Slip { employee: Employee }; action pay appliesTo { principal: Employee, resource: Slip };')
  const onLeave = noun(['employees'], { modifiers: [of(noun(['leave']), 'on')] })
  assert.match(rules({ force: 'forbid', subject: [onLeave], deeds: [view([noun(['slips'])], 'pay')] }, schema)[0] ?? '', /when \{ principal\.onLeave \};$/)
  const named = noun(['employee'], { modifiers: [of(noun(['slip'], { isDefinite: true }))] })
  assert.match(rules({ force: 'forbid', subject: [named], deeds: [view([noun(['slips'])], 'pay')] }, schema)[0] ?? '', /when \{ resource\.employee == principal \};$/)
})

test('other goes with a plain noun, never with one that is the subject\'s own or is named', () => {
  const place = (rest: Partial<Noun>) => ({ force: 'permit', subject: [NURSES], deeds: [view([noun(['charts'], { modifiers: [of(noun(['ward'], rest), 'in')] })])] }) as const
  assert.match(because(place({ other: true, modifiers: [OWN] })), /ward/)
  assert.match(because(place({ other: true, quoted: 'A' })), /ward/)
  assert.match(rules(place({ other: true }))[0] ?? '', /when \{ !\(principal\.ward == resource\.patient\.ward\) \}/)
})

test('their, where nobody acts by name and the condition names someone, is a question', () => {
  const consent: Condition = { kind: 'is', of: { kind: 'noun', noun: noun(['patient']) }, words: ['given', 'consent'] }
  const their = (isSaid: boolean, when: Condition | null) => ({ force: 'forbid', deeds: [view([noun(['chart'], { modifiers: [{ kind: 'own', isSaid }] })], 'export')], when }) as const
  assert.match(because(their(false, consent)), /`their`/)
  assert.match(rules(their(false, null))[0] ?? '', /resource\.patient == principal/)
  assert.match(rules(their(true, consent))[0] ?? '', /resource\.patient == principal && /)
})

test('what the call says and is said of somebody is told apart from what nobody can be', () => {
  const when = (...words: string[]) => because({ force: 'permit', subject: [NURSES], deeds: [view([CHARTS])], when: { kind: 'is', of: { kind: 'they' }, words } })
  assert.match(when('emergency'), /the call says it, so write “if emergency”, without saying who$/)
  assert.match(when('purple'), /is nothing that the schema can carry here$/)
})
