import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pick, seeded } from '#core/proof/random-world.ts'
import { matcherOf } from './like.ts'

/** What a pattern means, at any price: every way to divide the text is tried. */
function means(pattern: readonly (string | null)[], text: string): boolean {
  const [part, ...rest] = pattern
  if (part === undefined) return text === ''
  if (part !== null) return text.startsWith(part) && means(rest, text.slice(part.length))
  return means(rest, text) || (text !== '' && means(pattern, text.slice(1)))
}

test('a pattern matches what its meaning says, on 20,000 random texts of few letters', () => {
  const random = seeded(11)
  let matched = 0
  for (let i = 0; i < 20_000; i++) {
    const pattern = Array.from({ length: Math.floor(random() * 7) }, () => pick(random, [null, null, null, null, 'a', 'b', 'ab', 'aba', 'aaaaaaaab', 'abababababa', '😀']))
    const text = Array.from({ length: Math.floor(random() * 14) }, () => pick(random, ['a', 'a', 'b', 'ab', 'aba', 'aaaaaaaab', '😀'])).join('')
    const want = means(pattern, text)
    if (want) matched++
    assert.equal(matcherOf(pattern)(text), want, JSON.stringify({ pattern, text }))
  }
  assert.ok(matched > 2_000)
})

test('time grows with the text and with nothing else: patterns that make others try again and again', () => {
  const text = 'a'.repeat(1_000_000)
  const long = `${'a'.repeat(50_000)}b`
  const begun = performance.now()
  assert.equal(matcherOf([null, 'a', null, 'a', null, 'a', null, 'a', null, 'b', null])(text), false)
  assert.equal(matcherOf([null, long, null])(text), false)
  assert.equal(matcherOf([null, 'aaaaaab', null, 'a', null])(text), false)
  // Trying again at every place would take 5·10¹⁰ comparisons, a minute at the least.
  assert.ok(performance.now() - begun < 2_000)
})
