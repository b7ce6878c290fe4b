import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonical, digest, digestOnce } from './canonical.ts'
import { seeded, type Random } from './proof/random-world.ts'

/** RFC 8785 once more, by what the language brings: members sorted by its own `sort`, everything written by its own `stringify`. */
function written(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(written).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).filter(([, member]) => member !== undefined).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${written(member)}`).join(',')}}`
}

const KEYS = ['a', 'b', 'ab', 'A', '', '"', 'é', 'z\n', '\u20ac', '\ud83d\ude00', '\ufb33', '10', '9', '1', '__proto__', 'constructor']
const LEAVES = [null, true, false, 0, -0, 1, -1.5, 1e21, 1e-7, 5e-324, 2 ** 53, 0.1 + 0.2, '', 'x"\\\u0007', '\u2028', undefined]

function any(random: Random, depth: number): unknown {
  const one = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)] as T
  const size = Math.floor(random() * (random() < 0.1 ? 40 : 6))
  const kind = depth === 0 ? 0 : Math.floor(random() * 3)
  if (kind === 0) return one(LEAVES)
  if (kind === 1) return Array.from({ length: size }, () => any(random, depth - 1) ?? null)
  const object = Object.create(random() < 0.2 ? null : Object.prototype) as Record<string, unknown>
  for (let i = 0; i < size; i++) Object.defineProperty(object, random() < 0.3 ? `k${Math.floor(random() * 1_000)}` : one(KEYS), { value: any(random, depth - 1), enumerable: true, configurable: true, writable: true })
  return object
}

test('canonical bytes are those of RFC 8785, 2000 values', () => {
  for (let seed = 1; seed <= 2_000; seed++) {
    const value = any(seeded(seed), 4) ?? null
    assert.equal(canonical(value), written(value), `seed ${seed}`)
  }
})

test('what JSON cannot carry exactly has no canonical form', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1n, '\ud800', { '\udc00': 1 }, new Map([['a', 1]]), new Date(0), new Set([1]), [undefined], () => 1, new (class A { a = 1 })()]) {
    assert.throws(() => canonical({ value }), TypeError, String(value))
  }
})

test('of an object the digest is made once, and it is that of its value', () => {
  let looked = 0
  const value = { get member() { return [1, 'two', looked++ < 9] } }
  assert.deepEqual([digestOnce(value), digestOnce(value), looked], [digest({ member: [1, 'two', true] }), digest({ member: [1, 'two', true] }), 1])
})
