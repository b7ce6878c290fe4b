import type { Statement } from '#core/unit/statement.ts'
import { leads, type Main } from './controlled-english-around.ts'
import { modals, type Modal } from './controlled-english-deeds.ts'
import { approvals, duties, occasions, requirements, whoevers } from './controlled-english-duties.ts'
import { resolved } from './controlled-english-pronouns.ts'
import { accesses, actives, gerunds, impersonals, passives, underModal } from './controlled-english-rules.ts'
import { eat, eatAny, hit, type Hit, lowerAt, remember, type Text, then } from './controlled-english-tokens.ts'

/** Every list of statements that a clause can be, with all its tokens used. */
export function clausesAs(text: Text): readonly (readonly Statement[])[] {
  const found = then(leads(text, 0), (lead, to) => compound(text, to).map((hit) => ({ ...hit, value: { lead, mains: hit.value } })))
  return found
    .filter(({ to }) => to === text.tokens.length)
    .flatMap(({ value: { lead, mains } }) => resolved(text, lead, mains))
}

/** Rules joined by "and" or "but"; the next may leave its subject out: "nurses may view charts but not export them". */
function compound(text: Text, at: number): readonly Hit<readonly Main[]>[] {
  return remember(text, 'compound', at, () => then(mains(text, at), (first, to) => continued(text, to, first)))
}

function continued(text: Text, at: number, first: Main): readonly Hit<readonly Main[]>[] {
  const found: Hit<readonly Main[]>[] = [hit([first], at)]
  const next = eatAny(text, at, ['and', ', and', 'but', ', but', ', whereas', 'whereas', ', while'])
  if (next === null) return found
  const isApart = !(lowerAt(text, at) === 'and')
  const apart = (rest: readonly Main[]): readonly Main[] => (isApart ? [{ ...(rest[0] as Main), isApart }, ...rest.slice(1)] : rest)
  found.push(...then(compound(text, next), (rest, end) => [hit([first, ...apart(rest)], end)]))
  const { who } = first
  if (who === undefined) return found
  const not = eat(text, next, 'not')
  const elided = [...modals(text, next), ...(not === null ? [] : [hit<Modal>({ force: 'forbid', form: 'base', isOnly: false }, not)])]
  found.push(
    ...then(
      elided,
      (modal, verb) => then(
        underModal(text, who, modal, verb),
        (main, to) => then(continued(text, to, main), (rest, end) => [hit([first, ...apart(rest)], end)]),
      ),
    )
  )
  return found
}

function mains(text: Text, at: number): readonly Hit<Main>[] {
  return remember(text, 'mains', at, () => [
    ...actives(text, at), ...passives(text, at), ...impersonals(text, at), ...gerunds(text, at), ...duties(text, at), ...whoevers(text, at), ...occasions(text, at), ...requirements(text, at), ...approvals(text, at), ...accesses(text, at),
  ])
}
