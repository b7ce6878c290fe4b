import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { readConfig } from '#config'
import { holderOf } from '#adapters/postgres/data-lock.ts'
import { borrowEmbedded } from '#adapters/postgres/embedded.ts'
import { Failure } from '#core/failure.ts'
import { EXIT, finish, newCommand } from './terminal.ts'

type Options = { data?: string; config?: string; yes?: boolean; dryRun?: boolean; json?: boolean; quiet?: boolean }

export function command(): Command {
  return newCommand('reset', 'delete the data folder: database, ledger and keys; asks first', './acgs reset --dry-run')
    .option('--data <dir>', 'the data folder')
    .option('--config <file>', 'another configuration file')
    .option('--yes', 'do not ask')
    .option('--dry-run', 'say what would be deleted, and delete nothing')
    .action(async (options: Options) => {
      const folder = resolve(readConfig({ file: options.config ?? null, env: process.env, dataFolder: options.data }).service.dataFolder)
      const found = existsSync(folder) ? readdirSync(folder).filter((name) => OURS.test(name)) : []
      if (found.length === 0) return finish({ json: { folder, deleted: [] }, text: `nothing to delete in ${folder}`, exit: EXIT.yes }, options)
      const holder = holderOf(folder)
      if (holder !== null) throw new Failure('ALREADY_RUNNING', `process ${holder} is using ${folder}: stop it first`)
      if (options.dryRun) return finish({ json: { folder, would_delete: found }, text: `would delete in ${folder}: ${found.join(', ')}`, exit: EXIT.yes }, options)
      if (options.yes !== true && !(await isSure(`delete ${found.join(', ')} in ${folder}? Certificates, ledger and keys are lost for good. Type "delete": `))) {
        return finish({ json: { folder, deleted: [] }, text: 'nothing was deleted', exit: EXIT.no }, options)
      }
      // A server that outlived its product must not go on writing into what is being deleted.
      if (found.includes('postgres')) await (await borrowEmbedded({ dataDir: folder })).stop()
      for (const name of readdirSync(folder).filter((name) => OURS.test(name))) rmSync(join(folder, name), { recursive: true, force: true })
      finish({ json: { folder, deleted: found }, text: `deleted in ${folder}: ${found.join(', ')}`, exit: EXIT.yes }, options)
    })
}

/** What the product makes in its data folder; anything else there is somebody's and stays. */
const OURS = /^(postgres.*|keys|ledger|decision-point|lock\.\d+.*|.*\.log(\.\d+)?)$/

async function isSure(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new Failure('REQUEST_MALFORMED', 'there is nobody to ask: give --yes to delete without asking')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return (await terminal.question(question)).trim() === 'delete'
  } finally {
    terminal.close()
  }
}
