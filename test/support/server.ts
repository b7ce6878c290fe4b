import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { holderOf } from '#adapters/postgres/data-lock.ts'
import { startEmbedded } from '#adapters/postgres/embedded.ts'

const PREFIX = 'acgs-test-'

/** A PostgreSQL for tests, with nothing in it; `stop` ends it and removes every trace. */
export async function startTestServer(): Promise<{ url: string; stop: () => Promise<void> }> {
  const dataDir = temporaryFolder()
  const server = await startEmbedded({ dataDir, portPreferred: 0, isThrowaway: true })
  return {
    url: server.url,
    stop: async () => {
      await server.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

/** An empty folder that PostgreSQL's own user may pass, unlike what `mkdtemp` makes. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), PREFIX))
  chmodSync(folder, 0o755)
  return folder
}

/** Ends the servers of test runs that were killed, and removes their folders. */
export async function sweepTestServers(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const dataDir = join(tmpdir(), name)
    if (!name.startsWith(PREFIX)) continue
    try {
      if (!readdirSync(dataDir).includes('postgres-password') || holderOf(dataDir) !== null) continue
      const left = await startEmbedded({ dataDir, portPreferred: 0, isThrowaway: true })
      await left.stop()
    } catch {
      // Of another user, half-made, or just removed by its own run: not ours to judge.
      continue
    }
    rmSync(dataDir, { recursive: true, force: true })
  }
}
