import { InvalidArgumentError, Option, type Command } from 'commander'
import { slowQueries, type Order } from '#adapters/postgres/slow-queries.ts'
import { onDatabase, withTarget, type DatabaseOptions } from './ops-database.ts'
import { EXIT, finish, type Answer } from './terminal.ts'

type Options = DatabaseOptions & { by: Order; limit: number }

const SHOWN_CHARS = 160

export function command(): Command {
  return onDatabase('slow-queries', 'the statements that took longest on the database, by pg_stat_statements, and those that run now', './acgs ops slow-queries --by mean')
    .addOption(new Option('--by <time>', 'in which order').choices(['total', 'mean', 'max']).default('total'))
    .option('--limit <n>', 'how many', (text) => {
      if (!/^[1-9]\d{0,2}$/.test(text)) throw new InvalidArgumentError('it is not a number from 1 to 999')
      return Number(text)
    }, 10)
    .action(async (options: Options) => finish(await look(options), options))
}

async function look(options: Options): Promise<Answer> {
  return withTarget(options, false, async ({ db, isEmbedded }) => {
    const { server, statements, because: counted, since, active } = await slowQueries(db, { order: options.by, limit: options.limit })
    const because = statements === null && isEmbedded ? 'the embedded PostgreSQL does not count statements; on a PostgreSQL of your own (DATABASE_URL) pg_stat_statements does' : counted
    const ms = (value: number) => (value < 10 ? value.toFixed(2) : value.toFixed(0)).padStart(8)
    const cut = (query: string) => (query.length > SHOWN_CHARS ? `${query.slice(0, SHOWN_CHARS)}…` : query)
    return {
      json: {
        server, counted: statements !== null, because, since: since?.toISOString() ?? null,
        statements: (statements ?? []).map(({ query, calls, totalMs, meanMs, maxMs, rows }) => ({ query, calls, total_ms: totalMs, mean_ms: meanMs, max_ms: maxMs, rows })),
        active,
      },
      text: [
        ...(statements === null ? [`PostgreSQL ${server}: ${because}`] : [
          `PostgreSQL ${server}, by ${options.by} time${since === null ? '' : ` since ${since.toISOString()}`}`,
          '   total ms     mean      max   calls    rows',
          ...statements.map((each) => `  ${ms(each.totalMs).padStart(9)} ${ms(each.meanMs)} ${ms(each.maxMs)} ${String(each.calls).padStart(7)} ${String(each.rows).padStart(7)}  ${cut(each.query)}`),
        ]),
        active.length === 0 ? 'nothing runs now' : 'runs now:',
        ...active.map(({ pid, application, state, seconds, waits, query }) => `  ${seconds.toFixed(1).padStart(6)} s  ${application} (${pid}, ${state}${waits === null ? '' : `, waits for ${waits}`})  ${cut(query)}`),
      ].join('\n'),
      exit: statements === null ? EXIT.undetermined : EXIT.yes,
    }
  })
}
