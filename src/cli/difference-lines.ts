import type { CountedDocument, EnvironmentDocument, Told } from '#core/decision/difference-document.ts'
import type { CedarRequest } from '#core/unit/semantic-unit.ts'
import { counted } from './terminal.ts'

type Means = Extract<CountedDocument, { means: unknown }>['means']
const MEANS: { readonly [means in Means]: string } = {
  'decided': '', 'some-context': ', each in some context', 'at-most': ', at most: what the conditions say of the context was left out',
}

/** What changed in one environment, for people; no lines where nothing did. */
export function differenceLines({ principal, action, resource, gains, loses, demands = [], waives = [], open = [], counted: tally }: EnvironmentDocument<CedarRequest>): readonly string[] {
  const parts = new Map<string, Told<CedarRequest>[]>()
  const add = (part: string, told: readonly Told<CedarRequest>[]) => void (told.length > 0 && parts.set(part, [...(parts.get(part) ?? []), ...told]))
  add('gains', gains)
  add('loses', loses)
  for (const each of demands) add(`demands ${each.obligation}`, [each])
  for (const each of waives) add(`waives ${each.obligation}`, [each])
  for (const { part } of open) if (!parts.has(part)) parts.set(part, [])
  if (parts.size === 0) return []
  const found = tally !== undefined && 'parts' in tally ? tally : null
  const lines = [...parts].flatMap(([part, told]) => {
    const count = found?.parts.find((each) => each.part === part)
    const number = found === null || count === undefined ? '' : ` (${count.pairs} of ${counted(found.pairs, 'pair')}, ${counted(count.principals, 'principal')}${MEANS[found.means]})`
    const left = open.filter((each) => each.part === part).flatMap(({ reason, witness }) => [
      `    ${told.length === 0 ? 'perhaps, and it is not told how' : 'not all of it, perhaps'}: ${reason}`,
      ...(witness === undefined ? [] : [`      e.g. ${requestText(witness)}`]),
    ])
    return [`  ${part}${number}`, ...told.flatMap(({ when, failing = [], english, witness }) => [
      `    when ${english}`,
      `      ${[when, ...failing.map((each) => `cannot be evaluated: ${each}`)].join('; ')}`,
      `      e.g. ${requestText(witness)}`,
    ]), ...left]
  })
  const uncounted = tally !== undefined && 'reason' in tally ? [`  ${counted(tally.pairs, 'pair')}, not counted: ${tally.reason}`] : []
  return [`${principal} ${action} ${resource}`, ...lines, ...uncounted]
}

function requestText({ principal, action, resource, context }: CedarRequest): string {
  return `${principal} ${action} ${resource}${Object.keys(context).length === 0 ? '' : ` ${JSON.stringify(context)}`}`
}
