import { availableParallelism, cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import packageJson from '../package.json' with { type: 'json' }
import type { Options } from './load/load.ts'
import type { Result } from './measure.ts'

/** `npm run bench -- NAME [--json]`, `npm run bench -- load [--part NAME]… [--seconds N]`: figures with the machine they were taken on, and ratios to a baseline of the same run. */
const BENCHES: { readonly [name: string]: () => Promise<{ run: (options: Options) => Promise<readonly Result[]> }> } = {
  activate: () => import('./activate.ts'),
  decide: () => import('./decide.ts'),
  decode: () => import('./decode.ts'),
  entities: () => import('./entities.ts'),
  generate: () => import('./generate.ts'),
  http: () => import('./http.ts'),
  ledger: () => import('./ledger.ts'),
  load: () => import('./load/load.ts'),
  prove: () => import('./prove.ts'),
  questions: () => import('./questions.ts'),
  start: () => import('./start.ts'),
  syndrome: () => import('./syndrome.ts'),
}

const { values, positionals } = readArguments()
const [name = ''] = positionals
if (name !== 'all' && !Object.hasOwn(BENCHES, name)) refuse(`name one of ${[...Object.keys(BENCHES), 'all'].join(', ')}, e.g. npm run bench -- generate`)
const options: Options = { parts: values.part, seconds: values.seconds === undefined ? null : Number(values.seconds), isWritten: values.write }
if (options.seconds !== null && !(options.seconds >= 1 && options.seconds <= 3_600)) refuse('--seconds is a number from 1 to 3600')
const results: Result[] = []
for (const each of name === 'all' ? Object.keys(BENCHES) : [name]) results.push(...(await (await (BENCHES[each] as () => Promise<{ run: (options: Options) => Promise<readonly Result[]> }>)()).run(options)))

const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), memory_gib: Math.round(totalmem() / 2 ** 30), platform: `${process.platform} ${process.arch}` }
const versions = { acgs: packageJson.version, node: process.version, 'z3-solver': packageJson.dependencies['z3-solver'], 'cedar-wasm': packageJson.dependencies['@cedar-policy/cedar-wasm'] }
if (values.json) process.stdout.write(`${JSON.stringify({ bench: name, machine, versions, results }, null, 2)}\n`)
else {
  const rows = results.map(({ name, unit, n, p50, p95, p99, baseline, ratio, target }) => [name, String(n), ...[p50, p95, p99].map((value) => `${round(value)} ${unit}`.trimEnd()), baseline === undefined ? '' : `${baseline.name} ${round(baseline.p50)} ${unit}`, ratio === undefined ? '' : `${ratio.toPrecision(3)}x`, target === undefined ? '' : `${target.figure} ${target.bound} ${round(target.value)}: ${target.isMet ? 'met' : 'MISSED'}`])
  const table = [['what', 'n', 'p50', 'p95', 'p99', 'baseline p50', 'ratio', 'target'], ...rows]
  const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => (row[column] ?? '').length))) ?? []
  process.stdout.write(`${machine.cpu}, ${machine.cores} cores, ${machine.memory_gib} GiB, ${machine.platform}, node ${versions.node}\n`)
  for (const row of table) process.stdout.write(`${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()}\n`)
}

function readArguments() {
  try {
    return parseArgs({ args: process.argv.slice(2), allowPositionals: true, options: { json: { type: 'boolean', default: false }, part: { type: 'string', multiple: true, default: [] }, seconds: { type: 'string' }, write: { type: 'boolean', default: false } } })
  } catch (error) {
    return refuse(`${(error as Error).message.split('. ')[0]}: there are NAME, --json, and for load --part, --seconds and --write; NAME is one of ${[...Object.keys(BENCHES), 'all'].join(', ')}`)
  }
}

function refuse(text: string): never {
  process.stderr.write(`bench: ${text}\n`)
  process.exit(2)
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
