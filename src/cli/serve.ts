import { once } from 'node:events'
import { Argument, type Command } from 'commander'
import packageJson from '../../package.json' with { type: 'json' }
import { readConfig, type Config } from '#config'
import { Failure } from '#core/failure.ts'
import { startAll, type Running } from '#services/start-all.ts'
import { newCommand } from './terminal.ts'

type Options = { data?: string; config?: string; json?: boolean; quiet?: boolean }

export function command(): Command {
  return newCommand('serve', 'run the processes; all four in one by default, on embedded defaults', './acgs serve all')
    .addArgument(new Argument('[process]', 'which').choices(['all', 'platform', 'auth', 'synthesis', 'compliance']).default('all'))
    .option('--data <dir>', 'the data folder')
    .option('--config <file>', 'another configuration file')
    .action(async (name: string, options: Options) => {
      if (name !== 'all') {
        throw new Failure('CONFIG_INVALID', `starting ${name} apart comes with a later release, together with the secrets divided by process: run \`./acgs serve all\``)
      }
      await serve(options)
    })
}

async function serve(options: Options): Promise<void> {
  const config = readConfig({ file: options.config ?? null, env: process.env, process: 'all', dataFolder: options.data })
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
  let running: Running
  try {
    running = await startAll(config, asking.signal)
  } catch (error) {
    // What fails because of the signal (a terminal sends it to every child, too) is not worth a report: everything is ended.
    if (!asking.signal.aborted) throw error
    say(`stopped on ${asked} before it was ready`)
    process.exit(0)
  }
  say(greeting(config, running, (performance.now() - started) / 1000))
  running.announce()
  if (!asking.signal.aborted) await once(asking.signal, 'abort')
  const { cutOff } = await running.close()
  say(`stopped on ${asked}${cutOff > 0 ? `; ${cutOff} requests had to be cut off` : ''}`)
  process.exit(cutOff > 0 ? 1 : 0)
}

/** What someone who starts this for the first time needs to know. */
function greeting(config: Config, { inForce, database, selfTest, ports }: Running, seconds: number): string {
  const { shown, constitution } = inForce
  const store = database === null
    ? 'postgres as configured (DATABASE_URL)'
    : `postgres ${database.version} embedded in ${config.service.dataFolder}, port ${database.port}${database.adopted ? ' (adopted: it had outlived its product)' : ' (survives kill -9)'}`
  const here = `http://localhost:${ports.platform}`
  return [
    '',
    `  ACGS-PGP ${packageJson.version}   ready in ${seconds.toFixed(1)} s`,
    `  platform :${ports.platform}   auth :${ports.auth}   synthesis :${ports.synthesis}   compliance :${ports.compliance}`,
    `  ${store}   cache in memory   models: none configured`,
    `  constitution ${shown.hash}${shown.isInherited ? ' (inherited id)' : ''}   ${constitution.clauses.length} articles   sha256 ${shown.digest}`,
    `  one process, pid ${process.pid}: division by trust is off, one person can play every role`,
    `  self-test: ${selfTest.decisions} decisions as Cedar, ${selfTest.refuted} known refutations found, ${selfTest.proved} known proofs made, ${selfTest.certificates} known certificate verified, in ${selfTest.seconds.toFixed(1)} s`,
    ...config.notices.map((notice) => `  note: ${notice}`),
    '',
    '  a token:  T=$(./acgs token --role author)',
    `  try:      curl -H "Authorization: Bearer $T" -H 'Content-Type: application/json' -d @examples/clinic.json ${here}/api/v1/generate-policy`,
    `  read on:  ${here}/docs   ./acgs --help   README.md`,
    '',
  ].join('\n')
}
