import { connect } from '#adapters/postgres/connect.ts'
import { recordGeneration } from '#adapters/postgres/generations.ts'
import { generationRow } from './generation-row.ts'

/** A process that exists to be killed: `node record-until-killed.ts URL before-commit|busy`; it sends a message when it is in the middle. */
const [url = '', when] = process.argv.slice(2)
const db = connect(url, { name: 'killed' })

if (when === 'before-commit') {
  await db.transaction(async (tx) => {
    await recordGeneration(tx, generationRow(40))
    process.send?.('recorded')
    await new Promise(() => setInterval(() => {}, 1_000))
  })
}
process.send?.('busy')
for (let n = 1_000; ; n += 4) await Promise.all([0, 1, 2, 3].map((k) => db.transaction((tx) => recordGeneration(tx, generationRow(n + k)))))
