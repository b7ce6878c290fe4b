import type { Command } from 'commander'
import { z } from 'zod'
import { checkEntities } from '#adapters/cedar/cedar.ts'
import { counter, PAIRS_MAX, type Counted } from '#core/decision/count-difference.ts'
import { list, renderCondition } from '#core/policy/english.ts'
import { renderExpression } from '#core/policy/render.ts'
import type { Condition } from '#core/proof/conditions.ts'
import type { EnvironmentDifference, Part } from '#core/proof/diff.ts'
import { EntityBody } from '#core/unit/request.ts'
import { newQuestion, openQuestion, type ProverOptions } from './questioned.ts'
import { EXIT, finish, progress, readShaped, type Answer } from './terminal.ts'

type Options = ProverOptions & { entities?: string }

export function command(): Command {
  return newQuestion('diff', 'who gains and who loses from one policy to another: conditions that together cover exactly the difference, proved', './acgs diff old.cedar new.cedar --schema my.cedarschema')
    .argument('<old>', 'Cedar policies').argument('<new>', 'Cedar policies')
    .option('--entities <file>', 'entities in Cedar’s JSON format: count for how many of them it makes the difference')
    .action(async (before: string, after: string, options: Options) => finish(await run(before, after, options), options))
}

async function run(oldFile: string, newFile: string, options: Options): Promise<Answer> {
  const use = openQuestion(options)
  await using _ = use.prover
  const [before, after] = [use.parse(oldFile), use.parse(newFile)]
  const count = options.entities === undefined ? null : counter(before, after, use.schema, storeOf(options.entities, use.schema), options.semantics)
  progress('proving …', options)
  const started = performance.now()
  const { isEquivalent, environments, engines } = await use.prover.diff(before, after, use.schema, use.only)
  use.emitted()
  const shown = environments.map((each) => ({ each, counted: count === null || each.parts.length === 0 ? null : count(each) }))
  return {
    json: {
      equivalent: isEquivalent,
      environments: shown.map(({ each, counted }) => toJson(each, counted)),
      engines, elapsed_ms: Math.round(performance.now() - started),
    },
    text: shown.flatMap(({ each, counted }) => toLines(each, counted)).join('\n') || (isEquivalent === true ? `no difference, proved in ${environments.length} request environments` : 'unknown'),
    exit: isEquivalent === null ? EXIT.undetermined : isEquivalent ? EXIT.yes : EXIT.no,
  }
}

function storeOf(file: string, schema: Parameters<typeof checkEntities>[1]) {
  const entities = readShaped(z.array(EntityBody), file)
  checkEntities(entities, schema)
  return entities
}

const ofKind = (parts: readonly Part[], kind: Part['kind']) => parts.filter((part) => part.kind === kind)

function toJson({ environment, parts }: EnvironmentDifference, counted: Counted | null) {
  const conditions = (part: Part) => part.conditions.map(({ condition, witness }) => ({
    when: renderExpression(condition.when),
    ...(condition.failing.length === 0 ? {} : { failing: condition.failing.map(renderExpression) }),
    english: english(condition), witness,
  }))
  const moved = (kind: Part['kind']) => ofKind(parts, kind).flatMap(conditions)
  const put = (kind: Part['kind']) => ofKind(parts, kind).flatMap((part) => conditions(part).map((each) => ({ obligation: part.obligation, ...each })))
  const duties = (['demands', 'waives'] as const).filter((kind) => ofKind(parts, kind).length > 0).map((kind) => [kind, put(kind)] as const)
  const open = parts.filter((part) => part.open !== null).map((part) => ({ part: nameOf(part), reason: part.open }))
  return {
    ...environment, gains: moved('gains'), loses: moved('loses'), ...Object.fromEntries(duties),
    ...(open.length === 0 ? {} : { open }),
    ...(counted === null ? {} : { counted: countedJson(counted) }),
  }
}

function countedJson({ pairs, parts, means }: Counted) {
  if (parts === null) return { pairs, reason: `more than ${PAIRS_MAX} pairs are not counted` }
  return { pairs, means, parts: parts.map(({ part, pairs, principals }) => ({ part: nameOf(part), pairs, principals })) }
}

const MEANS: { readonly [means in Counted['means']]: string } = {
  'decided': '', 'some-context': ', each in some context', 'at-most': ', at most: what the conditions say of the context was left out',
}

function toLines({ environment: { principal, action, resource }, parts }: EnvironmentDifference, counted: Counted | null): readonly string[] {
  if (parts.length === 0) return []
  const lines = parts.flatMap((part) => {
    const found = counted?.parts?.find((each) => each.part === part)
    const number = found === undefined || counted === null ? '' : ` (${found.pairs} of ${counted.pairs} pairs, ${found.principals} principal${found.principals === 1 ? '' : 's'}${MEANS[counted.means]})`
    const open = part.open === null ? [] : [`    not all of it, perhaps: ${part.open}`]
    return [`  ${nameOf(part)}${number}`, ...part.conditions.flatMap(({ condition, witness }) => [
      `    when ${english(condition)}`,
      `      ${text(condition)}`,
      `      e.g. ${witness.principal} ${witness.action} ${witness.resource}${Object.keys(witness.context).length === 0 ? '' : ` ${JSON.stringify(witness.context)}`}`,
    ]), ...open]
  })
  const uncounted = counted?.parts === null ? [`  not counted: ${counted.pairs} pairs are more than ${PAIRS_MAX}`] : []
  return [`${principal} ${action} ${resource}`, ...lines, ...uncounted]
}

function nameOf({ kind, obligation }: Part): string {
  return obligation === null ? kind : `${kind} ${obligation}`
}

function text({ when, failing }: Condition): string {
  return [renderExpression(when), ...failing.map((each) => `cannot be evaluated: ${renderExpression(each)}`)].join('; ')
}

function english({ when, failing }: Condition): string {
  const cannot = failing.map((each) => `it cannot be evaluated whether ${renderCondition(each)}`)
  return list([...(when.kind === 'bool' && when.value && cannot.length > 0 ? [] : [renderCondition(when)]), ...cannot], 'and')
}
