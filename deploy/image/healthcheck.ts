import { readFileSync } from 'node:fs'
import { readConfig, type ProcessName } from '#config'

// Whether what this container runs is healthy, for the engine's HEALTHCHECK: asks /health of the process that was started, at the port
// that its configuration gives it. Ends with 0 for healthy and degraded, with 1 otherwise, and says what it was told.
const PROCESSES: readonly ProcessName[] = ['all', 'platform', 'auth', 'synthesis', 'compliance']

/** How the container was started: `…, serve, NAME, --config, FILE`, below an init of the engine's or not. */
const started = readFileSync('/proc/1/cmdline', 'utf8').split('\0')
const given = started[started.indexOf('serve') + 1]
const name = PROCESSES.find((each) => each === given) ?? 'all'
const file = started.includes('--config') ? (started[started.indexOf('--config') + 1] ?? null) : null

const { services } = readConfig({ env: process.env, process: name, file })
const url = `http://127.0.0.1:${services[`${name === 'all' ? 'platform' : name}Port`]}/health`
try {
  const reply = await fetch(url, { signal: AbortSignal.timeout(4_000) })
  const { status } = (await reply.json()) as { status: unknown }
  console.log(`${url}: ${reply.status} ${String(status)}`)
  process.exitCode = reply.ok ? 0 : 1
} catch (error) {
  console.log(`${url}: ${error instanceof Error ? error.message : 'no answer'}`)
  process.exitCode = 1
}
