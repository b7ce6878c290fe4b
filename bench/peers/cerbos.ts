import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { paymentRulesOfCerbos } from '#test/payment-rules.ts'
import { freePorts } from '#test/product.ts'

const VERSION = '0.55.0'

/** A Cerbos server of our own, over its policies on disk. */
export type Cerbos = AsyncDisposable & { readonly name: string; readonly url: string }

/**
 * The real Cerbos decision point with the rules of `test/support/payment-rules.ts` in its own words, on one core. Its binary is fetched from
 * npm once, into the user's cache, and is no part of the project.
 *
 * @returns Null, with a line on standard error, where there is no binary for this machine or it cannot be had.
 */
export async function startCerbos(rules: number, pinned: (command: readonly string[]) => readonly string[]): Promise<Cerbos | null> {
  const binary = fetched()
  if (binary === null) return null
  const folder = mkdtempSync(join(tmpdir(), 'acgs-cerbos-'))
  writeFileSync(join(folder, 'account.yaml'), stringify({ apiVersion: 'api.cerbos.dev/v1', resourcePolicy: { version: 'default', resource: 'Account', rules: paymentRulesOfCerbos(rules) } }))
  const [http = 0, grpc = 0] = await freePorts(2)
  const [command = '', ...args] = pinned([
    binary, 'server', `--set=storage.disk.directory=${folder}`, '--set=storage.disk.watchForChanges=false', `--set=server.httpListenAddr=127.0.0.1:${http}`,
    `--set=server.grpcListenAddr=127.0.0.1:${grpc}`, '--set=telemetry.disabled=true', '--log-level=ERROR',
  ])
  const child = spawn(command, args, { stdio: 'ignore' })
  const url = `http://127.0.0.1:${http}`
  const until = Date.now() + 30_000
  while (!(await fetch(`${url}/_cerbos/health`).then(({ ok }) => ok, () => false))) {
    if (child.exitCode !== null || Date.now() > until) throw new Error('Cerbos did not start')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return {
    name: `Cerbos ${VERSION}`, url,
    [Symbol.asyncDispose]: async () => {
      child.kill()
      await once(child, 'exit')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function fetched(): string | null {
  const cpu = process.arch === 'x64' || process.arch === 'arm64' ? process.arch : null
  if (cpu === null || (process.platform !== 'linux' && process.platform !== 'darwin')) return null
  const name = `cerbos-${process.platform}-${cpu}`
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'acgs-bench-peers')
  const binary = join(cache, 'node_modules', '@cerbos', name, name)
  if (existsSync(binary)) return binary
  mkdirSync(cache, { recursive: true })
  try {
    execFileSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', cache, `@cerbos/${name}@${VERSION}`], { stdio: 'ignore', timeout: 120_000 })
  } catch {
    process.stderr.write('bench: Cerbos cannot be fetched, so nothing is compared with it\n')
    return null
  }
  return existsSync(binary) ? binary : null
}
