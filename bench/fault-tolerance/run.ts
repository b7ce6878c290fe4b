import { fork } from 'node:child_process'
import { on } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import packageJson from '../../package.json' with { type: 'json' }
import { STABILIZERS, TABLE_VERSION } from '#core/stabilizers/table.ts'
import { WEIGHTS } from '#core/syndrome/weights.ts'
import { basisNow, isSame, partsOf, standingOf, toldOf, type Basis } from './basis.ts'
import { measureAmbiguous, type AmbiguousMeasured } from './ambiguous.ts'
import { withContext, type Context } from './context.ts'
import { measureNatural, type NaturalMeasured } from './natural.ts'
import { chartsOf, renderPage } from './page.ts'
import { APPLICATIONS, ROOT } from './policies.ts'
import { measureRepresentations, type RepresentationsMeasured } from './representations.ts'
import { measureSetting, SETTINGS, type Measured } from './trials.ts'

/** One part of the measurement with the choice that it was made with, and what it is of; parts from before that was written down do not say. */
export type Part<T> = { readonly at: string; readonly seed: number; readonly instances: number; readonly seconds: number; readonly basis?: Basis; readonly result: T }

/** Everything that the page is made from. */
export type FaultTolerance = {
  readonly versions: { readonly [name: string]: string }
  readonly machine: { readonly cpu: string; readonly cores: number; readonly busy: number }
  readonly hasApplications: boolean
  readonly trials: { readonly [setting: string]: Part<Measured> }
  readonly representations?: Part<RepresentationsMeasured>
  readonly natural?: Part<NaturalMeasured>
  readonly ambiguous?: Part<AmbiguousMeasured>
}

type Choice = { readonly seed: number; readonly instances: number }
type Measuring = (choice: Choice, context: Context) => Promise<unknown>
const PARTS: { readonly [id: string]: Measuring } = {
  ambiguous: (_, context) => measureAmbiguous(context),
  natural: async () => measureNatural(),
  representations: ({ seed, instances }, context) => measureRepresentations({ seed, instances: Math.ceil(instances / 5) }, context),
  ...Object.fromEntries(SETTINGS.map((setting) => [setting.id, (choice: Choice, context: Context) => measureSetting(setting, choice, context)])),
}

const MEASURED = fileURLToPath(new URL('./measured.json', import.meta.url))
const PAGE = join(ROOT, 'docs/fault-tolerance.md')
const CHARTS = join(ROOT, 'docs/fault-tolerance')

const INSTANCES = 50
const SEED = 1

const HELP = `npm run fault-tolerance [-- FLAG…]

Measures how often a policy whose candidates contain faults comes out right, and writes docs/fault-tolerance.md with its charts.
Every part is kept in bench/fault-tolerance/measured.json as it ends, so that what was broken off goes on with --resume. All parts
take up to 24 minutes on two processors, a part 4 seconds to two minutes; no server is needed.

  --page             measures nothing: writes the page and its charts from what was measured before, in seconds
  --resume           leaves out parts that were measured with the same --instances and --seed, and on the same sources and weights
  --part NAME        measures this part alone; may be given several times
  --instances N      how many instances of each class of faults are wanted in a part (${INSTANCES}); the time goes with it
  --seed N           another seed makes other trials (${SEED})
  --help             prints this

Parts:
${wrapped(Object.keys(PARTS))}

exit: 0 the page is written · 1 it is not, since parts are not measured yet, or one could not be · 2 usage
e.g.  npm run fault-tolerance -- --resume
`

/** Names in lines of a terminal's width. */
function wrapped(names: readonly string[]): string {
  return names.reduce((text, name) => `${text}${text === '' ? '  ' : text.length - text.lastIndexOf('\n') + name.length > 115 ? ',\n  ' : ', '}${name}`, '')
}

if (import.meta.main) await main()

/**
 * `npm run fault-tolerance -- --help` says what can be chosen: measures, keeps every part in measured.json as it ends, and writes docs/fault-tolerance.md
 * with its charts, saying which figures are of something else than what is here.
 */
async function main(): Promise<void> {
  const values = readFlags()
  if (values.help) return void process.stdout.write(HELP)
  const choice = { instances: Number(values.instances), seed: Number(values.seed) }
  const unknown = values.part.find((id) => !Object.hasOwn(PARTS, id))
  if (unknown !== undefined) refuse(`there is no part \`${unknown}\``)
  if (!(Number.isInteger(choice.instances) && choice.instances >= 1)) refuse(`--instances \`${values.instances}\` is not a whole number from 1`)
  if (!Number.isInteger(choice.seed)) refuse(`--seed \`${values.seed}\` is not a whole number`)
  if (values.child) return measureForParent(choice)
  const basis = basisNow()
  let kept = existsSync(MEASURED) ? withoutFormer(JSON.parse(readFileSync(MEASURED, 'utf8')) as FaultTolerance) : null
  const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), busy: Math.round(10 * (loadavg()[0] as number)) / 10 }
  const versions = { acgs: packageJson.version, node: process.version, 'z3-solver': packageJson.dependencies['z3-solver'], 'cedar-wasm': packageJson.dependencies['@cedar-policy/cedar-wasm'], stabilizers: `${TABLE_VERSION} (${STABILIZERS.length})`, weights: WEIGHTS.version }
  const partOf = (id: string) => (kept === null ? undefined : id in kept ? (kept as unknown as { [id: string]: Part<unknown> })[id] : kept.trials[id])
  const wanted = values.page ? [] : values.part.filter((id) => {
    const before = partOf(id)
    return !(values.resume && before !== undefined && before.seed === choice.seed && before.instances === choice.instances && isSame(before.basis, basis))
  })
  const left = [...wanted]
  let done = 0
  const work = async () => {
    await using child = startChild(choice)
    for (let id = left.shift(); id !== undefined; id = left.shift()) {
      const started = performance.now()
      const result = await child.measure(id)
      const part: Part<unknown> = { at: new Date().toISOString().slice(0, 10), ...choice, seconds: Math.round((performance.now() - started) / 1000), basis, result }
      const before: FaultTolerance = kept ?? { versions, machine, hasApplications: existsSync(APPLICATIONS), trials: {} }
      kept = SETTINGS.some((setting) => setting.id === id) ? { ...before, trials: { ...before.trials, [id]: part as Part<Measured> } } : { ...before, [id]: part }
      kept = { ...kept, versions, machine, hasApplications: existsSync(APPLICATIONS) }
      writeFileSync(MEASURED, `${JSON.stringify(kept)}\n`)
      process.stderr.write(`${++done} of ${wanted.length}: ${id}, ${part.seconds} s\n`)
    }
  }
  await Promise.all(Array.from({ length: Math.min(machine.cores, 4, left.length) }, work))
  const missing = Object.keys(PARTS).filter((id) => partOf(id) === undefined)
  if (kept === null || missing.length > 0) {
    process.stderr.write(`docs/fault-tolerance.md is not written: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not measured yet (--resume measures what is left)\n`)
    process.exitCode = 1
    return
  }
  writeFileSync(MEASURED, `${JSON.stringify(kept)}\n`)
  writeFileSync(PAGE, renderPage(kept))
  mkdirSync(CHARTS, { recursive: true })
  for (const [name, svg] of Object.entries(chartsOf(kept))) writeFileSync(join(CHARTS, name), svg)
  const told = toldOf(standingOf(partsOf(kept).map((part) => part.basis), basis))
  process.stdout.write(`docs/fault-tolerance.md and its charts are written\n${told === null ? '' : `${told}\n`}`)
}

/** Without what was a part of the measurement once, and is none any more. */
function withoutFormer(kept: FaultTolerance): FaultTolerance {
  return { ...kept, trials: Object.fromEntries(Object.entries(kept.trials).filter(([id]) => Object.hasOwn(PARTS, id))) }
}

function readFlags() {
  try {
    return parseArgs({ options: {
      part: { type: 'string', multiple: true, default: Object.keys(PARTS) }, instances: { type: 'string', default: String(INSTANCES) }, seed: { type: 'string', default: String(SEED) },
      resume: { type: 'boolean', default: false }, page: { type: 'boolean', default: false }, help: { type: 'boolean', default: false },
      // For the processes that this one starts.
      child: { type: 'boolean', default: false },
    } }).values
  } catch (error) {
    const [said = ''] = (error as Error).message.split(/\. |\n/)
    return refuse(`${said.charAt(0).toLowerCase()}${said.slice(1)}`.replaceAll("'", '`'))
  }
}

function refuse(what: string): never {
  process.stderr.write(`fault-tolerance: ${what}; see npm run fault-tolerance -- --help\n`)
  process.exit(2)
}

/** Measures the parts that the parent names, one after the other, until it has no more. */
async function measureForParent(choice: Choice): Promise<void> {
  await withContext(async (context) => {
    for await (const [id] of on(process, 'message', { close: ['disconnect'] }) as AsyncIterable<readonly [string]>) {
      const result = await (PARTS[id] as Measuring)(choice, context)
      process.send?.({ result })
    }
  })
}

function startChild({ seed, instances }: Choice): { readonly measure: (id: string) => Promise<unknown>; readonly [Symbol.asyncDispose]: () => Promise<void> } {
  const child = fork(fileURLToPath(import.meta.url), ['--child', '--seed', String(seed), '--instances', String(instances)])
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    measure: (id) => Promise.race([
      new Promise((resolve) => {
        child.once('message', (said: { readonly result: unknown }) => resolve(said.result))
        child.send(id)
      }),
      ended.then(() => { throw new Error(`${id} could not be measured: its process ended`) }),
    ]),
    [Symbol.asyncDispose]: async () => {
      if (child.connected) child.disconnect()
      await ended
    },
  }
}
