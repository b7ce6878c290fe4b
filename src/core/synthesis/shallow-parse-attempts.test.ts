import assert from 'node:assert/strict'
import { test } from 'node:test'

import { parseSchema } from '#adapters/cedar/cedar.ts'
import { lexiconOf } from '#core/unit/lexicon.ts'
import { noun, statement, type Condition, type Statement } from '#core/unit/statement.ts'
import { attemptsAt } from './shallow-parse-attempts.ts'

const lexicon = lexiconOf(
  parseSchema(`
    entity Team;
    entity Agent { team: Team, senior: Bool };
    entity Ticket { assignee: Agent, team: Team, sealed: Bool, priority: Long };
    action view, close, "turn-on" appliesTo { principal: [Agent], resource: [Ticket] };
  `),
)

const sealed: Condition = { kind: 'is', of: { kind: 'this' }, words: ['sealed'] }

test('who, may, what become subject, force, deed', () => {
  assert.deepEqual(structures('Senior agents may view or close tickets.'), [
    [statement({ force: 'permit', subject: [noun(['Senior', 'agents'])], deeds: [deed('view', noun(['tickets'])), deed('close', noun(['tickets']))] })],
  ])
})

test('each way of denying is a prohibition', () => {
  for (const text of ['may not', 'must not', 'cannot', 'can\'t', 'are not allowed to', 'aren’t permitted to', 'are forbidden to', 'must never', 'shall not']) {
    assert.deepEqual(structures(`Agents ${text} close tickets.`), [[statement({ force: 'forbid', subject: [noun(['Agents'])], deeds: [deed('close', noun(['tickets']))] })]], text)
  }
})

test('passive and active are one structure', () => {
  const [active] = structures('Agents may close tickets that are sealed.')
  const [passive] = structures('Tickets that are sealed may be closed by agents.')
  assert.deepEqual(lower(passive), lower(active).map((one) => ({ ...one, deeds: one.deeds.map((each) => ({ ...each, verb: ['closed'] })) })))
})

test('a clause behind a list may hang on the last or on all: both structures are offered', () => {
  const found = structures('Agents may view tickets and teams that are sealed.')
  assert.deepEqual(found.map(([one]) => one?.deeds[0]?.object.map(({ modifiers }) => modifiers.length)), [[0, 1], [1, 1]])
})

test('and beside or is grouped both ways', () => {
  const found = structures('Agents may close tickets that are sealed or open and new.')
  assert.equal(found.length, 2)
  assert.notDeepEqual(found[0], found[1])
})

test('a later it is the thing named before, and nothing when several are', () => {
  const [[one] = []] = structures('If a ticket is sealed, nobody may close it.')
  assert.deepEqual(one?.deeds, [deed('close', noun(['ticket'], { isDefinite: false }))])
  assert.deepEqual(structures('Agents may close it.'), [])
})

test('two-word verbs are found together and around a pronoun', () => {
  assert.deepEqual(structures('Agents may turn on tickets.')[0]?.[0]?.deeds, [{ verb: ['turn', 'on'], object: [noun(['tickets'])], tails: [] }])
  assert.deepEqual(structures('If a ticket is sealed, agents may turn it on.')[0]?.[0]?.deeds, [{ verb: ['turn', 'on'], object: [noun(['ticket'], { isDefinite: false })], tails: [] }])
})

test('words that leave open what is meant are never passed over', () => {
  const words = ['normally', 'usually', 'generally', 'otherwise', 'about', 'sometimes', 'rarely', 'hopefully']
  for (const word of words) assert.deepEqual(structures(`Agents may ${word} close tickets.`), [], word)
})

test('what cannot be seen is never passed over', () => {
  for (const mark of ['\u200b', '\u200d', '\u2060', '\u00ad', '\ufeff', '\u202e', '\u0000']) {
    assert.deepEqual(structures(`Agents may${mark} not close tickets.`), [], JSON.stringify(mark))
    assert.deepEqual(structures(`Agents may n${mark}ot close tickets.`), [], JSON.stringify(mark))
  }
  for (const word of ['n\u043et', 'no\uff54', '\u0440ublic', '\ud835\udc27ot']) assert.deepEqual(structures(`Agents may ${word} close tickets.`), [], word)
})

test('a reason is given for each structure that fails, and it names the word', () => {
  const [one] = attemptsAt(['Agents may sometimes close tickets.'], lexicon)
  assert.ok(one?.kind === 'unread' && one.because.includes('sometimes'))
})

test('a text of joints has a bounded number of structures', () => {
  const text = `Agents may close tickets that are ${Array.from({ length: 40 }, (_, index) => `sealed ${index % 2 === 0 ? 'and' : 'or'}`).join(' ')} sealed.`
  const started = performance.now()
  assert.ok(attemptsAt([text, text, text], lexicon).length <= 48)
  assert.ok(performance.now() - started < 2_000)
})

test('such a test can fail: a relative clause is kept', () => {
  const [[one] = []] = structures('Agents may close tickets that are sealed.')
  assert.deepEqual(one?.deeds[0]?.object, [noun(['tickets'], { modifiers: [{ kind: 'such', condition: sealed }] })])
  assert.notDeepEqual(one?.deeds[0]?.object, [noun(['tickets'])])
})

function structures(text: string): (readonly Statement[])[] {
  return attemptsAt([text], lexicon).flatMap((attempt) => (attempt.kind === 'statements' ? [attempt.statements] : []))
}

function deed(verb: string, ...object: ReturnType<typeof noun>[]) {
  return { verb: [verb], object, tails: [] }
}

function lower(statements: readonly Statement[] | undefined): Statement[] {
  return JSON.parse(JSON.stringify(statements ?? []).toLowerCase().replaceAll('exceptsubject', 'exceptSubject')) as Statement[]
}
