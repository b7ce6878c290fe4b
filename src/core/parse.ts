import type { z } from 'zod'
import type { Problem } from '#core/failure.ts'
import { malformed, step } from '#core/json.ts'

/**
 * Reads one part of a request by its schema.
 *
 * @param place How the part is called in messages: `body`, `query`, `params`.
 * @throws {Failure} REQUEST_MALFORMED naming every member that is missing, unknown or of the wrong shape.
 */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown, place: string): z.output<S> {
  const parsed = schema.safeParse(value, { reportInput: true })
  if (parsed.success) return parsed.data
  throw malformed(parsed.error.issues.flatMap((issue) => problemsOf(issue, place)))
}

type Issue = z.core.$ZodIssue

function problemsOf(issue: Issue, root: string): Problem[] {
  const place = issue.path.reduce<string>((path, key) => step(path, typeof key === 'number' ? key : String(key)), root)
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => ({ place: step(place, key), message: 'is not a member that is known here' }))
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const closest = issue.errors.toSorted((a, b) => a.length - b.length)[0]!
    if (closest.length > 0) return closest.flatMap((inner) => problemsOf({ ...inner, path: [...issue.path, ...inner.path] } as Issue, root))
  }
  if (issue.code === 'invalid_type' && issue.input === undefined && /received undefined/.test(issue.message)) {
    return [{ place, message: `is missing (${issue.expected})` }]
  }
  if (issue.code === 'too_small' || issue.code === 'too_big') return [{ place, message: outOfBounds(issue) }]
  return [{ place, message: issue.message.replace(/^Invalid input: /, '').replace(/^[A-Z]/, (letter) => letter.toLowerCase()) }]
}

/** That something is too much or too little, and how much is wanted. */
function outOfBounds(issue: Extract<Issue, { readonly code: 'too_small' | 'too_big' }>): string {
  const [what, bound, most, beyond] = issue.code === 'too_small' ? ['too small', issue.minimum, 'at least', 'more than'] : ['too big', issue.maximum, 'at most', 'less than']
  const unit = UNITS[issue.origin]
  if (unit === undefined) return `${what}: give ${issue.inclusive === false ? beyond : most} ${bound}`
  const say = (count: number) => `${count} ${unit}${count === 1 ? '' : 's'}`
  const { length: count } = issue.input as { readonly length: number }
  return `${count === 0 ? 'is empty' : `${what} (${say(count)})`}: give ${most} ${say(Number(bound))}`
}
const UNITS: { readonly [origin: string]: string } = { string: 'character', array: 'element' }
