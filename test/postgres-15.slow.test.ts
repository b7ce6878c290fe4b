import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { DEBIAN_MAJOR, needsPostgres, query, startPostgres } from '#test/postgres.ts'

/** Every test that asks a database: `npm test` runs them on the embedded PostgreSQL 18, this on Debian's. */
const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts']).filter((file) => !file.endsWith('.slow.test.ts') && readFileSync(file, 'utf8').includes(`'#test/database.ts'`)).toSorted()

test(`the database tests run on PostgreSQL ${DEBIAN_MAJOR} as well`, { ...needsPostgres, timeout: 1_500_000 }, async (t) => {
  await using pg = await startPostgres()
  assert.match((await query(pg.url, 'show server_version'))[0].server_version, new RegExp(`^${DEBIAN_MAJOR}\\.`))
  assert.ok(files.length > 10)
  const { NODE_TEST_CONTEXT: _, ...env } = process.env // So that it reports for itself.
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'test/run.ts', ...files], { env: { ...env, DATABASE_URL: '', ACGS_TEST_DATABASE_URL: pg.url }, stdio: ['ignore', 'pipe', 'inherit'], signal: t.signal })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const status = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  const last = said.trimEnd().split('\n').at(-1) ?? ''
  t.diagnostic(`PostgreSQL ${DEBIAN_MAJOR}: ${files.length} files, ${last}`)
  assert.equal(status, 0, said.split('\n').filter((line) => line.startsWith('failed: ')).join('\n') || said.slice(-2_000))
  assert.match(last, /^\d+ passed, 0 failed/)
})
