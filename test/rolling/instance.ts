import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sabotage } from '#test/sabotage.ts'
import { knows, type Version } from './versions.ts'

/** Where one product listens. */
export type Ports = { readonly platform: number; readonly auth: number; readonly synthesis: number; readonly compliance: number }

/** What every product of an update is given alike, as the runbook's `docker run` does: the database, the secrets, what Auth calls itself, how long it serves on when asked to end. */
export type Deployment = { readonly databaseUrl: string; readonly issuer: string; readonly secrets: Readonly<Record<string, string>>; readonly drainSeconds: number }

/** Where a division keeps what a product in one process is given. */
export function secretsOf({ folder }: { readonly folder: string }): Deployment['secrets'] {
  return {
    ACGS_SECURITY_SIGNING_KEY_FILE: join(folder, 'auth', 'token-signing.jwk.json'),
    ACGS_SECURITY_SERVICE_ACCOUNTS_FILE: join(folder, 'auth', 'service-accounts.json'),
    ACGS_SECURITY_CERTIFICATE_KEY_FILE: join(folder, 'compliance', 'data', 'keys', 'certificate.pem'),
  }
}

/** One running product. */
export type Instance = {
  readonly version: Version
  readonly pid: number
  readonly ports: Ports
  readonly printed: () => string
  /** Resolves with its exit status once it has ended; null when a signal ended it. */
  readonly kill: (signal: 'SIGTERM' | 'SIGKILL') => Promise<number | null>
}

const READY_MS = 180_000

/** Starts a version as `./acgs serve all` in production, and waits until it says that it is ready. */
export async function startInstance(version: Version, { ports, deployment, dataFolder, sabotage = null, settings = {}, signal }: { ports: Ports; deployment: Deployment; dataFolder: string; sabotage?: Sabotage | null; settings?: Readonly<Record<string, string>>; signal?: AbortSignal }): Promise<Instance> {
  const { PATH = '', HOME = '' } = process.env
  const unlimited = ['address_requests', 'generations', 'diagnoses'].map((what) => `${what}_per_minute`).filter((name) => knows(version, 'security', name))
  const env = {
    PATH, HOME, ...deployment.secrets,
    DATABASE_URL: deployment.databaseUrl, LOG_LEVEL: 'error',
    ACGS_SERVICE_ENVIRONMENT: 'production', ACGS_SERVICE_DATA_FOLDER: dataFolder, ACGS_SERVICE_DRAIN_SECONDS: String(deployment.drainSeconds),
    ACGS_SECURITY_TOKEN_ISSUER: deployment.issuer, ACGS_SECURITY_TOKEN_TTL_SECONDS: '86400',
    ...Object.fromEntries(Object.entries(ports).map(([name, port]) => [`ACGS_SERVICES_${name.toUpperCase()}_PORT`, String(port)])),
    // All clients of a test have one address.
    ...Object.fromEntries(unlimited.map((name) => [`ACGS_SECURITY_${name.toUpperCase()}`, '0'])),
    ...(sabotage === null ? {} : { NODE_OPTIONS: `--import=${new URL('../support/sabotage.ts', import.meta.url).href}`, ACGS_TEST_SABOTAGE: JSON.stringify(sabotage) }),
    ...settings,
  }
  const child = spawn(join(version.folder, 'acgs'), ['serve', 'all'], { cwd: version.folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)))
  const kill = async (signal: 'SIGTERM' | 'SIGKILL') => {
    child.kill(signal)
    const status = await ended
    rmSync(dataFolder, { recursive: true, force: true })
    return status
  }
  for (const deadline = Date.now() + READY_MS; ; await sleep(50)) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${version.name} ended with ${child.exitCode ?? child.signalCode} before it was ready:\n${output}`)
    if (await isReady(ports)) return { version, pid: child.pid as number, ports, printed: () => output, kill }
    if (Date.now() < deadline && signal?.aborted !== true) continue
    await kill('SIGKILL')
    signal?.throwIfAborted()
    throw new Error(`${version.name} was not ready within ${READY_MS / 1000} s:\n${output}`)
  }
}

/** Every one of its processes says so. */
async function isReady(ports: Ports): Promise<boolean> {
  return (await Promise.all(Object.values(ports).map(saysReady))).every(Boolean)
}

/** What a balancer that looks at `/readyz` believes. */
export async function saysReady(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) }).then(async (response) => (await response.arrayBuffer(), response.ok), () => false)
}
