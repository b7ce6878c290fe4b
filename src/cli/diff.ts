import type { Command } from 'commander'
import { z } from 'zod'
import { checkEntities } from '#adapters/cedar/cedar.ts'
import { counter } from '#core/decision/count-difference.ts'
import { differenceDocument, type EnvironmentDocument } from '#core/decision/difference-document.ts'
import { EntityBody } from '#core/unit/request.ts'
import { differenceLines } from './difference-lines.ts'
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
  const [before, after] = use.parseBoth(oldFile, newFile)
  const count = options.entities === undefined ? null : counter(before, after, use.schema, storeOf(options.entities, use.schema), options.semantics)
  progress('proving …', options)
  const started = performance.now()
  const { isEquivalent, environments, engines } = await use.prover.diff(before, after, use.schema, use.only)
  use.emitted()
  const shown: EnvironmentDocument[] = []
  for (const each of environments) shown.push(differenceDocument(each, count === null || each.parts.length === 0 ? null : await count(each)))
  return {
    json: {
      equivalent: isEquivalent,
      environments: shown,
      engines, elapsed_ms: Math.round(performance.now() - started),
    },
    text: shown.flatMap(differenceLines).join('\n') || (isEquivalent === true ? `no difference, proved in ${environments.length} request environments` : 'unknown'),
    exit: isEquivalent === null ? EXIT.undetermined : isEquivalent ? EXIT.yes : EXIT.no,
  }
}

function storeOf(file: string, schema: Parameters<typeof checkEntities>[1]) {
  const entities = readShaped(z.array(EntityBody), file)
  checkEntities(entities, schema)
  return entities
}
