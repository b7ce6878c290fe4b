import type { Command } from 'commander'
import { command as cache } from './ops-cache.ts'
import { newGroup } from './terminal.ts'

export function command(): Command {
  return newGroup('ops', 'what operators ask of a running system', './acgs ops cache').addCommand(cache())
}
