import type { Command } from 'commander'
import { stringify } from 'yaml'
import { readConfig, redact } from '#config'
import { EXIT, finish, newCommand, newGroup } from './terminal.ts'

export function command(): Command {
  const show = newCommand('show', 'the effective configuration, secrets redacted: defaults, then the file, then the environment', './acgs config show')
    .option('--config <file>', 'another configuration file')
    .option('--data <dir>', 'the data folder')
    .action((options: { config?: string; data?: string; json?: boolean; quiet?: boolean }) => {
      const config = readConfig({ file: options.config ?? null, env: process.env, dataFolder: options.data })
      const shown = redact(config)
      const overridden = [...config.origins].filter(([, origin]) => origin !== 'default').map(([key, origin]) => `# ${key}: from ${origin}`)
      const text = [stringify(shown).trimEnd(), ...overridden, ...config.notices.map((notice) => `# note: ${notice}`)].join('\n')
      finish({ json: { config: shown, origins: Object.fromEntries(config.origins), notices: config.notices }, text, exit: EXIT.yes }, options)
    })
  return newGroup('config', 'the configuration that is in effect', './acgs config show').addCommand(show)
}
