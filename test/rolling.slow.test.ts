import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { noBalancer } from './rolling/balancer.ts'
import { noHistory, previousCommits } from './rolling/versions.ts'

const missing = noBalancer()
const obstacle = missing !== null && process.env['CI'] !== 'true' ? missing : noHistory()
const needsBoth = { skip: obstacle ?? false }

async function rolling(...args: readonly string[]): Promise<{ status: number; said: any; printed: string }> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', fileURLToPath(new URL('rolling/rolling.ts', import.meta.url)), '--port', '0', '--seconds', '6', '--json', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, printed] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status: status ?? -1, said: stdout === '' ? null : JSON.parse(stdout), printed }
}

for (const [at, what] of ['an earlier version that knows less of the schema', 'the version before over the same schema'].entries()) {
  test(`${what} is replaced by this one, and this one by it, under load: nothing fails, nothing is lost, no decision is older than asked for`, needsBoth, async () => {
    const commit = previousCommits()[at]
    assert.ok(commit !== undefined, 'the history has such a version')
    const { status, said, printed } = await rolling('--from', commit)
    assert.equal(status, 0, printed)
    assert.deepEqual(said.directions.map(({ from, to, failed, lost, older }: any) => [`${from} -> ${to}`, failed, lost, older]), [['N-1 -> N', 0, 0, 0], ['N -> N-1', 0, 0, 0], ['N-1 -> N', 0, 0, 0]])
    for (const { schema, asked, revisions, accepted, waited, longest_ms, requests } of said.directions) {
      console.log(JSON.stringify({ schema, requests, asked, accepted, revisions, waited, longest_ms }))
      if (at === 0) assert.notEqual(schema.from, schema.to)
      assert.ok(asked.generation > 0 && asked.decision > 0 && asked.status > 0, 'every kind of load was there')
      assert.equal(revisions, 3, 'revisions were activated meanwhile')
    }
  })
}

test('nobody switches: a balancer that looks at readiness sees in time that the old one ends, whichever of its processes it asks', needsBoth, async () => {
  const { status, said, printed } = await rolling('--from', 'HEAD', '--once', '--by-health')
  assert.equal(status, 0, printed)
  assert.deepEqual(said.directions.map(({ failed, lost, older }: any) => [failed, lost, older]), [[0, 0, 0]])
})

test('sabotage twin: a product that is killed instead of drained is noticed by what fails', needsBoth, async () => {
  const { status, said, printed } = await rolling('--from', 'HEAD', '--once', '--without-drain')
  assert.equal(status, 1, printed)
  assert.ok(said.directions[0].failed > 0, printed)
})

test('sabotage twin: with nobody taking over what a killed one had accepted, it is noticed as lost', needsBoth, async () => {
  const { status, said, printed } = await rolling('--from', 'HEAD', '--once', '--without-takeover')
  assert.equal(status, 1, printed)
  assert.ok(said.directions[0].lost > 0, printed)
})

test('sabotage twin: a decision point that does not heed X-ACGS-Min-Revision is noticed by the decisions', needsBoth, async () => {
  const { status, said, printed } = await rolling('--from', 'HEAD', '--once', '--without-min-revision')
  assert.equal(status, 1, printed)
  assert.deepEqual([said.directions[0].failed, said.directions[0].lost], [0, 0], printed)
  assert.ok(said.directions[0].older > 0, printed)
})

test('what is not an option is refused, and says where the options are', async () => {
  const { status, printed } = await rolling('--seconds', 'many')
  assert.equal(status, 2)
  assert.match(printed, /--seconds must be a whole number.*--help/)
})

test('nginx takes the configuration that an operator is shown', { skip: noBalancer() ?? false }, () => {
  const page = readFileSync(new URL('../docs/operations/rolling-update.md', import.meta.url), 'utf8')
  const shown = /```nginx\n([\s\S]*?)```/.exec(page)?.[1] ?? ''
  const folder = mkdtempSync(join(tmpdir(), 'acgs-nginx-'))
  try {
    writeFileSync(join(folder, 'nginx.conf'), `pid ${folder}/pid;\nevents {}\nhttp {\n${shown}\n}\n`)
    const { status, stderr } = spawnSync('nginx', ['-t', '-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error')], { encoding: 'utf8' })
    assert.equal(status, 0, stderr)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
