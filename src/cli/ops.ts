import type { Command } from 'commander'
import { backupCommand, exportCommand } from './ops-backup.ts'
import { command as cache } from './ops-cache.ts'
import { diagnoseCommand, diagnosticsCommand } from './ops-diagnose.ts'
import { importCommand, restoreCommand, verifyCommand } from './ops-restore.ts'
import { command as slowQueries } from './ops-slow-queries.ts'
import { newGroup } from './terminal.ts'

export function command(): Command {
  const commands = [backupCommand(), restoreCommand(), verifyCommand(), exportCommand(), importCommand(), slowQueries(), cache(), diagnoseCommand(), diagnosticsCommand()]
  return commands.reduce((group, each) => group.addCommand(each), newGroup('ops', 'what operators ask of a running system', './acgs ops backup backups/acgs.dump'))
}
