import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { DEFAULT_FILE, SECTIONS } from '#config'
import { runAcgs } from '#test/product.ts'

test('the copies of file and environment give the same configuration again, with what was given by its older name', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-config-'))
  try {
    mkdirSync(join(folder, 'backups'))
    const file = join(folder, 'config.yaml')
    writeFileSync(file, readFileSync(DEFAULT_FILE, 'utf8').replace('bundle_days: 7', 'bundle_days: 9').replaceAll('./constitutions', `${process.cwd()}/constitutions`))
    const secret = `postgresql://u:it's%20secret@127.0.0.1:5432/d`
    const env = { DATABASE_URL: secret, REDIS_URL: 'redis://127.0.0.1:6379/3', CONSTITUTIONAL_HASH: 'cdd01ef066bc6cf2', LOG_LEVEL: 'warn', ACGS_CACHING_CANDIDATES_TTL_SECONDS: '7', ACGS_AUDIT_CHECKPOINT_FILE: 'kept/checkpoint' }
    const show = async (given: Readonly<Record<string, string>>) => {
      const { status, stdout, stderr } = await runAcgs(['config', 'show', '--config', file, '--json'], given)
      assert.equal(status, 0, stderr)
      return JSON.parse(stdout).config
    }
    const before = await show(env)
    assert.equal(before.constitutional.bundle_days, 9)

    // The runbook's first line, and what its second one leaves out.
    copyFileSync(file, join(folder, 'backups', 'config.yaml'))
    const kept = join(folder, 'backups', 'env')
    const made = await runAcgs(['config', 'env', kept, '--config', file], env)
    assert.equal(made.status, 0, made.stderr)
    assert.equal(statSync(kept).mode & 0o777, 0o600)
    assert.ok(readFileSync(kept, 'utf8').trimEnd().split('\n').every((line) => /^ACGS_/.test(line)), 'so that `grep ACGS` finds all of it')
    assert.equal((await runAcgs(['config', 'env', kept, '--config', file], env)).status, 2, 'nothing is replaced')

    writeFileSync(file, 'service:\n  host: 192.0.2.1\n')
    copyFileSync(join(folder, 'backups', 'config.yaml'), file)
    const read = execFileSync('sh', ['-c', 'set -a; . "$0"; env -0', kept], { env: { PATH: process.env['PATH'] ?? '' }, encoding: 'utf8' })
    const restored = Object.fromEntries(read.split('\0').filter((line) => line.startsWith('ACGS_')).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))
    assert.deepEqual(await show(restored), before)
    assert.equal(restored['ACGS_DATABASE_URL'], secret)

    const looked = await runAcgs(['config', 'env', '--redacted', '--config', file], env)
    assert.match(looked.stdout, /^ACGS_DATABASE_URL='postgresql:\/\/u:redacted@/m)
    assert.doesNotMatch(looked.stdout, /secret/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('every key of the file can be set, and so kept, by a variable that `env | grep ACGS` finds', async () => {
  const names = Object.entries(SECTIONS).flatMap(([section, keys]) => Object.entries(keys).map(([key, { fallback }]) => [`ACGS_${section}_${key}`.toUpperCase(), String(fallback)] as const))
  const { status, stdout, stderr } = await runAcgs(['config', 'env', '--json'], Object.fromEntries(names))
  assert.equal(status, 0, stderr)
  assert.deepEqual(Object.keys(JSON.parse(stdout).variables).toSorted(), names.map(([name]) => name).toSorted())
})
