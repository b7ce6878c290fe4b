import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '#core/proof/random-world.ts'
import { importTwin, type Sabotage } from '#test/twin.ts'
import { Numbered } from './numbered.ts'

const SEED = Number(process.env['ACGS_SEED'] ?? 20_261_128)

/** Texts come, go and come again; null when a Map always says the same, and no two have one number. */
function firstDifference(Subject: typeof Numbered, texts: readonly string[], steps: number): string | null {
  const random = seeded(SEED)
  const numbered = new Subject()
  const map = new Map<string, number>()
  const inUse = new Set<number>()
  for (let i = 0; i < steps; i++) {
    const text = texts[Math.floor(random() * texts.length)] as string
    const before = map.get(text)
    if (random() < 0.4) {
      numbered.delete(text)
      map.delete(text)
      if (before !== undefined) inUse.delete(before)
    } else if (before === undefined) {
      const number = numbered.add(text)
      if (number < 1 || inUse.has(number)) return `step ${i}: ${text} is given ${number}, which another has`
      map.set(text, number)
      inUse.add(number)
    }
    for (const each of [text, texts[Math.floor(random() * texts.length)] as string, `${text}?`]) {
      if (numbered.get(each) !== (map.get(each) ?? 0)) return `step ${i}: ${each} has ${numbered.get(each)} and should have ${map.get(each)}`
    }
  }
  return null
}

const many = Array.from({ length: 3_000 }, (_, i) => `user-${i}`)

/** They differ where nobody looks first. */
const mails = many.map((name) => `${name}@example.com`)

test('a text has the number that it was given last, whatever it ends with', () => {
  for (const texts of [many, mails, many.map((name, i) => `${name}${'-'.repeat(i % 300)}`), ['', 'é', '\ud800', '漢字漢字漢', '漢字漢字汉']]) assert.equal(firstDifference(Numbered, texts, 50_000), null)
})

test('texts of one hash are told apart, and finding one among many takes no longer', () => {
  const collided = colliding(2_000)
  assert.equal(firstDifference(Numbered, collided, 20_000), null)
  const numbered = new Numbered()
  for (const text of collided) numbered.add(text)
  const started = performance.now()
  for (let round = 0; round < 20; round++) for (const text of collided) numbered.get(text)
  assert.ok(performance.now() - started < 2_000)
})

/**
 * Texts of one and the same hash, as somebody who knows the function makes them: of every four units the last two make up for the first two, in two
 * ways, so that the fours can be combined.
 */
function colliding(count: number): readonly string[] {
  const fours = 11
  let hash = 4 * fours
  const choices = Array.from({ length: fours }, () => {
    const [one, other] = [Math.imul(hash ^ 1, 0x9e3779b1), Math.imul(hash ^ 2, 0x9e3779b1)]
    hash = Math.imul(one, 0x9e3779b1)
    return [String.fromCharCode(1, 0, 0, 0), String.fromCharCode(2, 0, (one ^ other) & 0xffff, (one ^ other) >>> 16)] as const
  })
  return Array.from({ length: count }, (_, i) => choices.map((choice, bit) => choice[(i >> bit) & 1]).join(''))
}

const TWINS: { readonly [name: string]: Sabotage } = {
  'one that is gone hides those behind it': { file: 'numbered.ts', from: 'this.#slots[at] = GONE', to: 'this.#slots[at] = 0' },
  'a hash is enough': { file: 'numbered.ts', from: '&& this.#texts[slot & NUMBERS] === text) return', to: ') return' },
  'what found no place is lost': { file: 'numbered.ts', from: 'this.#crowded.set(text, number)', to: '' },
  'a text that is like others is lost': { file: 'numbered.ts', from: 'if (!this.#insert(text, number)) this.#rebuild()', to: 'this.#insert(text, number)' },
  'a number is given twice': { file: 'numbered.ts', from: 'this.#free.pop() ?? this.#texts.length', to: 'this.#free.at(-1) ?? this.#texts.length' },
}

for (const [name, sabotage] of Object.entries(TWINS)) {
  test(`the sabotage twin is caught: ${name}`, async () => {
    const twin = await importTwin<{ Numbered: typeof Numbered }>('src/core/decision/dense/', ['numbered.ts'], sabotage, name)
    assert.ok([many, mails, colliding(2_000)].some((texts) => firstDifference(twin.Numbered, texts, 20_000) !== null))
  })
}
