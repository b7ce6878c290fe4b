import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import test from 'node:test'
import { emptyDatabase } from '#test/database.ts'
import { runAcgs } from '#test/product.ts'

const sqlIn = (folder: string) => readdirSync(new URL(`../../${folder}`, import.meta.url)).filter((name) => name.endsWith('.sql')).sort()

test('each process migrates its own part, once, with the secrets that it is started with', async () => {
  await using db = await emptyDatabase()
  const own = { platform: { ACGS_SECURITY_PEER_KEY_FILE: 'peer' }, auth: { ACGS_SECURITY_SIGNING_KEY_FILE: 'signing', ACGS_SECURITY_SERVICE_ACCOUNTS_FILE: 'accounts' } }
  for (const [name, folder, schema] of [['platform', 'migrations', 'public'], ['auth', 'migrations/auth', 'auth']] as const) {
    const migrate = async () => {
      const { status, stdout, stderr } = await runAcgs(['migrate', name, '--json'], { DATABASE_URL: db.url, ...own[name] })
      assert.equal(status, 0, stderr + stdout)
      return JSON.parse(stdout) as unknown
    }
    assert.deepEqual(await migrate(), { process: name, applied: sqlIn(folder) })
    assert.deepEqual(await migrate(), { process: name, applied: [] })
    const { rows } = await db.query(`select name from ${schema}.schema_migrations order by number`)
    assert.deepEqual(rows.map((row) => row['name']), sqlIn(folder))
  }
  const refused = await runAcgs(['migrate', 'platform'], { DATABASE_URL: db.url, ...own.platform, ...own.auth })
  assert.equal(refused.status, 2)
  assert.match(refused.stderr, /must not be given to platform/)
})
