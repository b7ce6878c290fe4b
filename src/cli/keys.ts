import type { Command } from 'commander'
import { z } from 'zod'
import { keysIn, keySetFile, publishedKeySet } from '#adapters/keys/certificate-key.ts'
import { readConfig } from '#config'
import { Failure } from '#core/failure.ts'
import { makeDivision } from '#services/division.ts'
import { EXIT, finish, newCommand, newGroup, quoted } from './terminal.ts'

type Options = { database: string; json?: boolean; quiet?: boolean }

const DATABASE = 'postgresql://127.0.0.1:5432/acgs'

export function command(): Command {
  const exported = newCommand('export', 'the public keys that certificates and bundles are verified with, past ones included', './acgs keys export > keys.json')
    .option('--data <dir>', 'the data folder')
    .option('--config <file>', 'another configuration file')
    .action((options: { data?: string; config?: string; json?: boolean; quiet?: boolean }) => {
      const config = readConfig({ file: options.config ?? null, env: process.env, dataFolder: options.data })
      const keys = publishedKeySet(keySetFile(keysIn(config.service.dataFolder)))
      finish({ json: keys, text: JSON.stringify(keys, null, 2), exit: EXIT.yes }, options)
    })
  return newGroup('keys', 'verification keys, and the keys of the four processes when they run apart', './acgs keys export > keys.json').addCommand(exported).addCommand(
    newCommand('init', 'make what the four processes need to run apart: a folder for each with its own secrets', './acgs keys init ./divided')
      .argument('<folder>', 'where; it must be empty, or not there')
      .option('--database <url>', 'where the database will be, without user and password', DATABASE)
      .action((folder: string, options: Options) => {
        const url = z.url({ protocol: /^postgres(ql)?$/ }).safeParse(options.database)
        if (!url.success || new URL(url.data).pathname.length < 2) throw new Failure('REQUEST_MALFORMED', `\`${options.database}\` does not name a database: ${DATABASE}`, { problems: [{ place: '--database', message: 'must be like postgresql://HOST:PORT/NAME' }] })
        const made = makeDivision(folder, { database: url.data })
        const start = (name: keyof typeof made.environments) => `(set -a; . ${quoted(made.environments[name])}; exec ./acgs serve ${name})`
        finish({
          json: made,
          text: [
            `made ${made.folder}: whoever can read all of it can play everybody, so give each process its own folder only`,
            '',
            '  the database, once, as someone who may make roles and databases:',
            `    psql -f ${quoted(made.databaseSql)}`,
            '  each process, in a terminal of its own:',
            ...(['auth', 'synthesis', 'compliance', 'platform'] as const).map((name) => `    ${start(name)}`),
            '  a token:',
            `    ./acgs token --role author --data ${quoted(made.people)}`,
          ].join('\n'),
          exit: EXIT.yes,
        }, options)
      }),
  )
}
