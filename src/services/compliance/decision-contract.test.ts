import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseInput } from '#core/parse.ts'
import { QuestionBody, readQuestionBody } from './decision-contract.ts'

const GOOD = { subject: { type: 'User', id: '' }, action: { name: 'view' }, resource: { type: 'Doc', id: 'd' } }
const ODD: readonly unknown[] = [undefined, null, '', 'x', 'x'.repeat(1_000), 'x'.repeat(1_001), 'x'.repeat(10_000), 'x'.repeat(10_001), 0, 10n, true, [], {}, { a: null }, JSON.parse('{"__proto__":{"type":"User"},"a":1}')]
const PLACES = [['subject'], ['subject', 'type'], ['subject', 'id'], ['subject', 'properties'], ['action'], ['action', 'name'], ['action', 'properties'], ['resource'], ['resource', 'id'], ['context']] as const

test('the short look at a question accepts, reads and refuses exactly what the schema does', () => {
  let [accepted, refused] = [0, 0]
  const bodies: unknown[] = [...ODD]
  for (const [member, part] of PLACES) {
    for (const odd of ODD) {
      const inner = Object.hasOwn(GOOD, member) ? GOOD[member as keyof typeof GOOD] : {}
      bodies.push({ ...GOOD, [member]: part === undefined ? odd : { ...inner, [part]: odd } })
    }
  }
  for (const body of bodies) {
    const [got, want] = [outcome(() => readQuestionBody(body, 'body')), outcome(() => parseInput(QuestionBody, body, 'body'))]
    assert.deepEqual(got, want)
    if ('refused' in want) refused++
    else accepted++
  }
  assert.ok(accepted > 20 && refused > 100, `${accepted} accepted, ${refused} refused`)
})

/** What is read of a question, or what is said against it. */
function outcome(read: () => ReturnType<typeof readQuestionBody>): { readonly read: unknown } | { readonly refused: unknown } {
  try {
    const { subject, action, resource, context } = read()
    const named = ({ type, id, properties }: typeof subject) => ({ type, id, properties })
    return { read: { subject: named(subject), action: { name: action.name, properties: action.properties }, resource: named(resource), context } }
  } catch (error) {
    return { refused: error instanceof Error ? { said: error.message, ...error } : error }
  }
}
