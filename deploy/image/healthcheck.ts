import { readFileSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { get as getOverTls } from 'node:https'
import { readConfig, type ProcessName } from '#config'

// Whether what this container runs is healthy, for the engine's HEALTHCHECK: asks /health of the process that was started, at the port
// that its configuration gives it. Ends with 0 for healthy and degraded, with 1 otherwise, and says what it was told.
const PROCESSES: readonly ProcessName[] = ['all', 'platform', 'auth', 'synthesis', 'compliance']

/** How the container was started: `…, serve, NAME, --config, FILE`, below an init of the engine's or not. */
const started = readFileSync('/proc/1/cmdline', 'utf8').split('\0')
const given = started[started.indexOf('serve') + 1]
const name = PROCESSES.find((each) => each === given) ?? 'all'
const file = started.includes('--config') ? (started[started.indexOf('--config') + 1] ?? null) : null

const { services, service } = readConfig({ env: process.env, process: name, file })
const scheme = service.tlsCertificateFile === null ? 'http' : 'https'
const url = `${scheme}://127.0.0.1:${services[`${name === 'all' ? 'platform' : name}Port`]}/health`

/** Asked at this container itself, so that it does not matter whom a certificate names. */
function ask(): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const onReply = (reply: IncomingMessage) => {
      let text = ''
      reply.on('data', (chunk: Buffer) => (text += chunk.toString()))
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, text }))
    }
    const signal = AbortSignal.timeout(4_000)
    const asking = scheme === 'https' ? getOverTls(url, { signal, rejectUnauthorized: false }, onReply) : get(url, { signal }, onReply)
    asking.on('error', reject)
  })
}

try {
  const reply = await ask()
  const { status } = JSON.parse(reply.text) as { status: unknown }
  console.log(`${url}: ${reply.status} ${String(status)}`)
  process.exitCode = reply.status === 200 ? 0 : 1
} catch (error) {
  console.log(`${url}: ${error instanceof Error ? error.message : 'no answer'}`)
  process.exitCode = 1
}
