import { once } from 'node:events'
import { Argument, type Command } from 'commander'
import packageJson from '../../package.json' with { type: 'json' }
import { readConfig, type Config, type ProcessName } from '#config'
import { fileFailure } from '#adapters/file-failure.ts'
import type { Apart } from '#services/apart.ts'
import type { Live } from '#services/live.ts'
import type { Running } from '#services/start-all.ts'
import { newCommand, quoted } from './terminal.ts'

type Options = { data?: string; config?: string; json?: boolean; quiet?: boolean }

export function command(): Command {
  return newCommand('serve', 'run the processes; all four in one by default, on embedded defaults', './acgs serve all')
    .addArgument(new Argument('[process]', 'which').choices(['all', 'platform', 'auth', 'synthesis', 'compliance']).default('all'))
    .option('--data <dir>', 'the data folder')
    .option('--config <file>', 'another configuration file')
    .action((name: ProcessName, options: Options) => serve(name, options))
}

/** What was started, whichever it is: one process of four or all of them in one. */
type Started = { readonly greeting: (seconds: number) => string; readonly announce: () => void; readonly take: Live['take']; readonly close: () => Promise<{ cutOff: number }> }

async function start(name: ProcessName, config: Config, signal: AbortSignal, { data }: Options): Promise<Started> {
  // Only what is started is loaded: a process need not know how to do what it must not do.
  if (name === 'all') {
    const running = await (await import('#services/start-all.ts')).startAll(config, signal)
    return { greeting: (seconds) => greeting(config, running, seconds, data), announce: running.announce, take: running.take, close: running.close }
  }
  const startApart = name === 'platform' ? (await import('#services/platform/start-apart.ts')).startPlatformApart
    : name === 'auth' ? (await import('#services/auth/start-apart.ts')).startAuthApart
    : name === 'synthesis' ? (await import('#services/synthesis/start-apart.ts')).startSynthesisApart
    : (await import('#services/compliance/start-apart.ts')).startComplianceApart
  const apart = await startApart(config, signal)
  return { greeting: (seconds) => greetingApart(config, apart, seconds), announce: apart.announce, take: apart.take, close: apart.close }
}

async function serve(name: ProcessName, options: Options): Promise<void> {
  const config = readConfig({ file: options.config ?? null, env: process.env, process: name, dataFolder: options.data })
  const say = (text: string) => {
    if (!options.json && !options.quiet) process.stdout.write(`${text}\n`)
  }
  const asking = new AbortController()
  let asked: NodeJS.Signals | null = null
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (asked !== null) process.exit(1) // Asked twice: whoever asks does not want to wait.
      asked = signal
      asking.abort()
    })
  }
  const started = performance.now()
  const hangUp = onHangUp(() => {
    asked ??= 'SIGHUP'
    asking.abort()
  })
  let running: Started
  try {
    running = await start(name, config, asking.signal, options)
  } catch (error) {
    // What fails because of the signal (a terminal sends it to every child, too) is not worth a report: everything is ended.
    if (!asking.signal.aborted) throw fileFailure(error, config.service.dataFolder) ?? error
    say(`stopped on ${asked} before it was ready`)
    process.exit(0)
  }
  say(running.greeting((performance.now() - started) / 1000))
  running.announce()
  hangUp.ready(() => say(takeOver(running, () => readConfig({ file: options.config ?? null, env: process.env, process: name, dataFolder: options.data }))))
  if (!asking.signal.aborted) await once(asking.signal, 'abort')
  const { cutOff } = await running.close()
  say(`stopped on ${asked}${cutOff > 0 ? `; ${cutOff} requests had to be cut off` : ''}`)
  process.exit(cutOff > 0 ? 1 : 0)
}

/** A terminal that goes away ends what runs in it; without one, SIGHUP asks for the configuration to be read again: once it is ready, if it is still starting. */
function onHangUp(end: () => void): { readonly ready: (readAgain: () => void) => void } {
  let take: (() => void) | null = null
  let isWaiting = false
  process.on('SIGHUP', () => {
    if (process.stdin.isTTY) end()
    else if (take === null) isWaiting = true
    else take()
  })
  return {
    ready: (readAgain) => {
      take = readAgain
      if (isWaiting) readAgain()
    },
  }
}

/** What came of reading the configuration again; one that is not valid changes nothing. */
function takeOver({ take }: Pick<Started, 'take'>, read: () => Config): string {
  try {
    const { changed, waiting } = take(read())
    return [
      changed.length === 0 ? 'configuration read again: nothing changes' : `configuration read again: ${changed.join(', ')} changed`,
      ...(waiting.length === 0 ? [] : [`; only after a restart: ${waiting.join(', ')}`]),
    ].join('')
  } catch (error) {
    return `configuration read again, and nothing taken over: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** What whoever starts one process apart needs to know: what it holds, and whom it calls. */
function greetingApart(config: Config, { name, port, inForce: { shown, constitution }, holds, calls, selfTest }: Apart, seconds: number): string {
  return [
    '',
    `  ACGS-PGP ${packageJson.version}   ${name} :${port}   ready in ${seconds.toFixed(1)} s   pid ${process.pid}`,
    `  division by trust is on   holds: ${holds.length === 0 ? 'nothing' : holds.join(', ')}`,
    ...calls.map((call) => `  calls ${call}`),
    `  constitution ${shown.hash}${shown.isInherited ? ' (inherited id)' : ''}   ${constitution.clauses.length} articles   sha256 ${shown.digest}`,
    ...(selfTest === null ? [] : [selfTestLine(selfTest)]),
    ...config.notices.map((notice) => `  note: ${notice}`),
    '',
  ].join('\n')
}

function selfTestLine({ decisions, refuted, proved, certificates, seconds }: Running['selfTest']): string {
  return `  self-test: ${decisions} decisions as Cedar, ${refuted} known refutations found, ${proved} known proofs made, ${certificates} known certificate verified, in ${seconds.toFixed(1)} s`
}

/** What someone who starts this for the first time needs to know. */
function greeting(config: Config, { inForce, database, selfTest, ports }: Running, seconds: number, data: string | undefined): string {
  const { shown, constitution } = inForce
  const store = database === null
    ? 'postgres as configured (DATABASE_URL)'
    : `postgres ${database.version} embedded in ${config.service.dataFolder}, port ${database.port}${database.adopted ? ' (adopted: it had outlived its product)' : ' (survives kill -9)'}`
  const here = `http://localhost:${ports.platform}`
  return [
    '',
    `  ACGS-PGP ${packageJson.version}   ready in ${seconds.toFixed(1)} s`,
    `  platform :${ports.platform}   auth :${ports.auth}   synthesis :${ports.synthesis}   compliance :${ports.compliance}`,
    `  ${store}   cache in memory${config.redis.url === null ? '' : ' and in Redis'}   models: none configured`,
    `  constitution ${shown.hash}${shown.isInherited ? ' (inherited id)' : ''}   ${constitution.clauses.length} articles   sha256 ${shown.digest}`,
    `  one process, pid ${process.pid}: division by trust is off, one person can play every role`,
    selfTestLine(selfTest),
    ...config.notices.map((notice) => `  note: ${notice}`),
    '',
    `  a token:  T=$(./acgs token --role author${data === undefined ? '' : ` --data ${quoted(data)}`})`,
    `  try:      curl -H "Authorization: Bearer $T" -H 'Content-Type: application/json' -d @examples/clinic.json ${here}/api/v1/generate-policy`,
    `  read on:  ${here}/docs   ./acgs --help   README.md`,
    '',
  ].join('\n')
}
