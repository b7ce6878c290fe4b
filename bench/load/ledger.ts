import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { connect } from '#adapters/postgres/connect.ts'
import { startEmbedded } from '#adapters/postgres/embedded.ts'
import { proveEntries } from '#adapters/postgres/ledger-entries.ts'
import { ledgerTree } from '#adapters/postgres/ledger-tree.ts'
import { verifyLedger } from '#adapters/postgres/ledger-verify.ts'
import { append, ledgerTip } from '#adapters/postgres/ledger.ts'
import { migrate, readMigrations } from '#adapters/postgres/migrate.ts'
import { sha256 } from '#core/canonical.ts'
import { leafHash, verifyInclusion } from '#core/ledger/merkle.ts'
import { temporaryFolder } from '#test/server.ts'
import { startCannon, startNode } from '../child.ts'
import { aimed, summarize, type Result } from '../measure.ts'
import { progress } from './system.ts'

/** As many as a platform has connections. */
const WRITERS = 10
/** Half of them write one entry in a transaction, the others so many. */
const TOGETHER = 20
/** So many are proved at once. */
const BATCH = 100

/**
 * Entries a second, one or several in a transaction, on disk before it counts, with a proof for every one, made in batches while others
 * are written; every proof is verified and the whole ledger at the end, so that none is lost. Beside it what the bare framework answers a second.
 */
export async function ledger(seconds: number): Promise<readonly Result[]> {
  const folder = temporaryFolder()
  const server = await startEmbedded({ dataDir: folder, portPreferred: 0 })
  try {
    await using db = connect(server.url, { name: 'bench', connectionsMax: WRITERS + 1 })
    await migrate(db, readMigrations(fileURLToPath(new URL('../../migrations', import.meta.url))))
    const tree = ledgerTree(db)
    const kept = new Map<number, string>()
    const appends = { alone: [] as number[], together: [] as number[] }
    const batches: number[] = []
    let proved = 0
    let isWritten = false
    const started = performance.now()
    const entry = (writer: number, n: number) => ({ kind: 'entities.changed', at: new Date().toISOString(), subject: { application: `load-${writer}`, version: String(n + 1) }, digests: { change: sha256(`${writer} ${n}`) } }) as const
    const write = async (writer: number) => {
      const entriesEach = writer % 2 === 0 ? 1 : TOGETHER
      for (let n = 0; performance.now() - started < seconds * 1000; n += entriesEach) {
        const own = Array.from({ length: entriesEach }, (_, i) => entry(writer, n + i))
        const asked = performance.now()
        const receipts = await db.transaction(async (tx) => {
          const all = []
          for (const each of own) all.push(await append(tx, each))
          return all
        })
        appends[entriesEach === 1 ? 'alone' : 'together'].push(performance.now() - asked)
        for (const [i, { index }] of receipts.entries()) {
          if (kept.has(index)) throw new Error(`two entries are number ${index}`)
          kept.set(index, own[i]?.digests.change as string)
        }
      }
    }
    const prove = async () => {
      for (;;) {
        const isLast = isWritten
        const { size, root } = await ledgerTip(db)
        if (size - proved < BATCH && !isLast) {
          await new Promise((resolve) => setTimeout(resolve, 5))
          continue
        }
        const to = Math.min(size, proved + BATCH)
        const asked = performance.now()
        const proofs = await proveEntries(tree, Array.from({ length: to - proved }, (_, i) => proved + i), size)
        batches.push(performance.now() - asked)
        for (const { index, entry, proof, root: shown } of proofs) {
          const isRight = shown === root && verifyInclusion({ leaf: leafHash(entry), index, size, root: Buffer.from(root, 'hex'), proof: proof.map((hash) => Buffer.from(hash, 'hex')) })
          if (!isRight) throw new Error(`the proof of entry ${index} in ${size} does not hold`)
          if (kept.has(index) && !entry.includes(kept.get(index) as string)) throw new Error(`entry ${index} is not the one that was written`)
        }
        if (proofs.length !== to - proved) throw new Error(`${to - proved - proofs.length} entries have no proof`)
        proved = to
        if (isLast && proved === size) return
      }
    }
    const proving = prove()
    proving.catch(() => {}) // Awaited below.
    await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)))
    const wrote = (performance.now() - started) / 1000
    isWritten = true
    await proving
    const all = (performance.now() - started) / 1000
    const { valid, entries, problems } = await verifyLedger(db)
    progress(`${kept.size} entries written, ${proved} proved, ${entries} in the ledger`)
    if (!valid || entries !== kept.size || proved !== kept.size) throw new Error(`entries were lost: ${JSON.stringify(problems).slice(0, 300)}`)

    const bare = await framework(Math.min(seconds, 5))
    return [
      bare,
      aimed(summarize(`ledger, ${WRITERS} writers for ${seconds} s, ${kept.size} entries with their proofs, none lost`, '1/s', [kept.size / all], bare), 'at least', 300),
      summarize('the same: written', '1/s', [kept.size / wrote]),
      summarize('the same: a transaction with one entry', 'ms', appends.alone),
      summarize(`the same: a transaction with ${TOGETHER} entries`, 'ms', appends.together),
      summarize(`the same: ${BATCH} proofs`, 'ms', batches),
    ]
  } finally {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function framework(seconds: number): Promise<Result> {
  await using bare = await startNode('./constant.ts', ['{}'])
  await using fire = startCannon()
  const { perSecond } = await fire({ url: `http://127.0.0.1:${String(bare.said['port'])}/access/v1/evaluation`, headers: {}, bodies: Array.from({ length: 1_000 }, (_, n) => JSON.stringify({ n })), seconds })
  return summarize('fastify with a constant reply, 50 connections', '1/s', [perSecond])
}
