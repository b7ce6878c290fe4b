import { malformed } from '#core/json.ts'
import type { Answer } from './answer.ts'

export const SEMANTICS = ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'] as const
export type Semantic = (typeof SEMANTICS)[number]

const DEFAULTS = ['subject', 'action', 'resource', 'context'] as const
const NEEDED = { subject: ['type', 'id'], action: ['name'], resource: ['type', 'id'] } as const

/**
 * One question of a batch with the defaults of the whole: what it has itself replaces the default, entity by entity; what names the entity
 * (type, id, an action's name) is taken from the default where it is left out.
 */
export function withDefaults(item: unknown, defaults: { readonly [name: string]: unknown }): unknown {
  if (!isRecord(item) || DEFAULTS.every((name) => defaults[name] === undefined)) return item
  const merged: { [name: string]: unknown } = {}
  for (const name of DEFAULTS) {
    const [own, general] = [item[name], defaults[name]]
    if (own === undefined) merged[name] = general
    else if (isRecord(own) && isRecord(general) && Object.hasOwn(NEEDED, name)) {
      const named = NEEDED[name as keyof typeof NEEDED].filter((part) => general[part] !== undefined).map((part) => [part, general[part]])
      merged[name] = { ...Object.fromEntries(named), ...own }
    } else merged[name] = own
  }
  return merged
}

/** The answers in the order of the questions, up to the one after which no more are asked. */
export function answerInTurn<T>(items: readonly T[], semantic: Semantic, answerOne: (item: T, index: number) => Answer): readonly Answer[] {
  const answers: Answer[] = []
  for (const [index, item] of items.entries()) {
    const answer = answerOne(item, index)
    answers.push(answer)
    if (semantic === 'deny_on_first_deny' && !answer.reply.decision) break
    if (semantic === 'permit_on_first_permit' && answer.reply.decision) break
  }
  return answers
}

/** So many values a batch may bring, over all its questions: each is read by the schema, the defaults anew for every question. */
const VALUES_MAX = 100_000

/** @throws {Failure} `REQUEST_MALFORMED` when the questions of a batch, with its defaults, come to more than may be read in one go. */
export function refuseTooMuch(items: readonly unknown[], defaults: { readonly [name: string]: unknown }): void {
  const general = Object.fromEntries(DEFAULTS.map((name) => [name, valuesIn(defaults[name])]))
  let sum = 0
  for (const item of items) {
    for (const name of DEFAULTS) sum += isRecord(item) && item[name] !== undefined ? valuesIn(item[name]) : (general[name] ?? 0)
    if (sum > VALUES_MAX) throw malformed([{ place: 'body.evaluations', message: `the questions with their defaults bring more than ${VALUES_MAX} values: divide them` }])
  }
}

function valuesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1
  return Object.values(value).reduce<number>((sum, each) => sum + valuesIn(each), 1)
}

function isRecord(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
