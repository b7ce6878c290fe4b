import { createConnection, createServer, type Socket } from 'node:net'

/** What went to a database through here: how often each statement, by its text, and how long somebody waited for an answer, in milliseconds; and the same of the tip of the ledger: how often an entry was appended, and for how long its transaction held the tip from then on. */
export type Traffic = { readonly statements: ReadonlyMap<string, number>; readonly waitedMs: number; readonly locks: number; readonly lockedMs: number }

/**
 * What came between two moments, without what comes all the time: of each statement, no more is taken off than there is.
 *
 * @param idle The same, over so many seconds in which nobody asked for anything.
 */
export function statementsOf(before: Traffic, after: Traffic, seconds: number, idle: { readonly before: Traffic; readonly after: Traffic; readonly seconds: number }): ReadonlyMap<string, number> {
  const between = (from: Traffic, to: Traffic, text: string) => (to.statements.get(text) ?? 0) - (from.statements.get(text) ?? 0)
  return new Map([...after.statements.keys()].map((text) => [text, Math.max(0, between(before, after, text) - (between(idle.before, idle.after, text) * seconds) / idle.seconds)]))
}

const LOCKS = /ledger_append\(/
const ENDS = /^(commit|rollback)/

/**
 * Stands between a program and its PostgreSQL and counts, so that the server needs no extension and the program no change.
 *
 * @see PostgreSQL's protocol: a message is a type, four bytes of length that count themselves, and a body; the first of a client has no type.
 */
export async function countTraffic(serverUrl: string): Promise<AsyncDisposable & { readonly url: string; readonly traffic: () => Traffic }> {
  const server = new URL(serverUrl)
  const statements = new Map<string, number>()
  const count = (text: string) => statements.set(text, (statements.get(text) ?? 0) + 1)
  let waitedMs = 0
  let locks = 0
  let lockedMs = 0
  const sockets = new Set<Socket>()
  const proxy = createServer((client) => {
    const upstream = createConnection({ host: server.hostname, port: Number(server.port) })
    /** What was sent and is not answered yet: a client need not wait for one answer before it sends what comes next. */
    const asked: { readonly text: string; readonly at: number }[] = []
    let parsed = ''
    let answeredAt = 0
    let lockedAt: number | null = null
    const ofClient = createReader(true, (type, body) => {
      // A statement to be prepared comes with its name, here none, and is run by the messages that follow it.
      if (type === 'P') parsed = textIn(body, body.indexOf(0) + 1)
      const text = type === 'Q' ? textIn(body, 0) : parsed
      if (type === 'Q' || type === 'E') count(text)
      if (type === 'Q' || type === 'S') asked.push({ text, at: performance.now() })
    })
    const ofServer = createReader(false, (type) => {
      const answered = type === 'Z' ? asked.shift() : undefined
      if (answered === undefined) return
      const now = performance.now()
      waitedMs += now - Math.max(answered.at, answeredAt)
      answeredAt = now
      // Answered, it has the lock, until the transaction's end is answered.
      if (LOCKS.test(answered.text)) lockedAt ??= now
      if (lockedAt === null || !ENDS.test(answered.text)) return
      locks++
      lockedMs += now - lockedAt
      lockedAt = null
    })
    for (const [from, to, read] of [[client, upstream, ofClient], [upstream, client, ofServer]] as const) {
      sockets.add(from)
      from.setNoDelay(true)
      from.on('data', (chunk: Buffer) => {
        read(chunk)
        to.write(chunk)
      })
      from.on('error', () => to.destroy())
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const url = new URL(serverUrl)
  url.port = String((proxy.address() as { port: number }).port)
  return {
    url: url.href,
    traffic: () => ({ statements: new Map(statements), waitedMs, locks, lockedMs }),
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => proxy.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** Up to the byte that ends it. */
function textIn(body: Buffer, from: number): string {
  return body.toString('utf8', from, body.indexOf(0, from))
}

/** Tells of each message in a stream, however it is cut. @param isClient Whether the first one has no type; it is not told. */
export function createReader(isClient: boolean, told: (type: string, body: Buffer) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0)
  let hasType = !isClient
  return (chunk) => {
    rest = rest.length === 0 ? chunk as Buffer<ArrayBuffer> : Buffer.concat([rest, chunk])
    let at = 0
    for (;;) {
      const head = hasType ? 1 : 0
      if (rest.length < at + head + 4) break
      const length = rest.readUInt32BE(at + head)
      if (rest.length < at + head + length) break
      if (hasType) told(String.fromCharCode(rest[at] as number), rest.subarray(at + 5, at + 1 + length))
      at += head + length
      hasType = true
    }
    rest = rest.subarray(at) as Buffer<ArrayBuffer>
  }
}
