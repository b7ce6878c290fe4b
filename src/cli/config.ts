import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { stringify } from 'yaml'
import { overrides, readConfig, redact } from '#config'
import { Failure } from '#core/failure.ts'
import { EXIT, counted, finish, newCommand, newGroup } from './terminal.ts'

type Options = { config?: string; data?: string; redacted?: boolean; json?: boolean; quiet?: boolean }

export function command(): Command {
  const show = reading('show', 'the effective configuration, secrets redacted: defaults, then the file, then the environment', './acgs config show')
    .action((options: Options) => {
      const config = readConfig({ file: options.config ?? null, env: process.env, dataFolder: options.data })
      const shown = redact(config)
      const overridden = [...config.origins].filter(([, origin]) => origin !== 'default').map(([key, origin]) => `# ${key}: from ${origin}`)
      const text = [stringify(shown).trimEnd(), ...overridden, ...config.notices.map((notice) => `# note: ${notice}`)].join('\n')
      finish({ json: { config: shown, origins: Object.fromEntries(config.origins), notices: config.notices }, text, exit: EXIT.yes }, options)
    })
  const env = reading('env', 'what the environment overrides, complete, as lines that a shell reads: the backup of it, passwords included', './acgs config env backups/env')
    .argument('[file]', 'where to, readable by you alone; it must not be there yet. Without it, on standard output')
    .option('--redacted', 'passwords replaced: to look at, not to restore')
    .action((file: string | undefined, options: Options) => {
      const config = readConfig({ file: options.config ?? null, env: process.env, dataFolder: options.data, startsNothing: true })
      const variables = overrides(config, process.env, options.redacted === true)
      const lines = Object.entries(variables).map(([name, value]) => `${name}='${value.replaceAll("'", `'\\''`)}'`)
      if (file !== undefined) write(file, lines.map((line) => `${line}\n`).join(''))
      finish({ json: file === undefined ? { variables } : { file, names: Object.keys(variables) }, text: file === undefined ? lines.join('\n') : `${file}: ${counted(lines.length, 'variable')}`, exit: EXIT.yes }, options)
    })
  return newGroup('config', 'the configuration that is in effect', './acgs config show').addCommand(show).addCommand(env)
}

function reading(name: string, what: string, example: string): Command {
  return newCommand(name, what, example).option('--config <file>', 'another configuration file').option('--data <dir>', 'the data folder')
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { mode: 0o600, flag: 'wx' })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new Failure('FILE_UNREADABLE', code === 'EEXIST' ? `\`${file}\` is there already: name another file` : `cannot write \`${file}\`: ${code === 'ENOENT' ? 'there is no such folder' : code}`, { cause })
  }
}
