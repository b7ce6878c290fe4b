import { lockDataFolder } from '#adapters/postgres/data-lock.ts'
import type { Failure } from '#core/failure.ts'

/** A process that takes a data folder and keeps it until it is killed; it says `held`, or why not. */
try {
  lockDataFolder(process.argv[2] ?? '')
  process.send?.('held')
} catch (error) {
  process.send?.((error as Failure).code)
}
setInterval(() => {}, 1_000)
