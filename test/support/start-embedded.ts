import { startEmbedded } from '#adapters/postgres/embedded.ts'

/** A process that starts the embedded database of a folder, says its pid, port and URL, and then waits to be killed. */
const { pid, port, url, adopted } = await startEmbedded({ dataDir: process.argv[2] ?? '', portPreferred: Number(process.argv[3] ?? 0) })
process.send?.({ pid, port, url, adopted })
setInterval(() => {}, 1_000)
