import { spawn, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeBase } from './base.ts'
import { isThere, shell } from './shell.ts'

/** What the `docker` client talks to. */
export type Engine = {
  readonly name: string
  /** Whether it works on a stand-in for the base image. */
  readonly isStandIn: boolean
  readonly env: NodeJS.ProcessEnv
  readonly stop: () => Promise<void>
}

/** Kept from one run to the next: layers, and the stand-in's root. On a disk, unlike /tmp on many machines. */
const FOLDER = '/var/tmp/acgs-containers'
const NEEDED = ['docker', 'podman', 'buildah', 'runc', 'debootstrap', 'iptables']

/**
 * The Docker daemon of this machine, else podman's service behind the same client, with a stand-in for the base image. No daemon is left running,
 * and nothing of the machine's own configuration is used or changed.
 *
 * @returns why there can be none, in words, where there can be none.
 */
export async function startEngine(): Promise<Engine | string> {
  const docker = (...args: string[]) => spawnSync('docker', args, { timeout: 120_000 }).status === 0
  // A daemon that cannot have the base image, as on a machine without a registry, is of no use.
  if (isThere('docker') && docker('info') && (docker('image', 'inspect', 'node:26-slim') || docker('pull', 'node:26-slim'))) {
    const version = spawnSync('docker', ['version', '--format', '{{.Server.Version}}'], { encoding: 'utf8' }).stdout.trim()
    return { name: `Docker ${version}`, isStandIn: false, env: process.env, stop: async () => {} }
  }
  if (process.getuid?.() !== 0) return 'there is no Docker daemon, and only root can run containers without one'
  const missing = NEEDED.filter((program) => !isThere(program))
  if (missing.length > 0) return `there is no Docker daemon, and ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not installed`

  const env = configuration()
  const info = await shell('podman info', { env, timeoutMs: 60_000 })
  if (info.status !== 0) return `podman does not run here: ${lastLine(info.output)}`
  const socket = join(FOLDER, 'podman.sock')
  fs.rmSync(socket, { force: true })
  const log = fs.openSync(join(FOLDER, 'service.log'), 'w')
  const service = spawn('podman', ['system', 'service', '--time=0', `unix://${socket}`], { env, stdio: ['ignore', log, log] })
  const exited = new Promise((resolve) => service.once('exit', resolve))
  const stop = async () => {
    service.kill('SIGTERM')
    await exited
  }
  for (let tries = 0; !fs.existsSync(socket); tries++) {
    if (tries > 200 || service.exitCode !== null) {
      await stop()
      return `podman's service does not start: ${lastLine(fs.readFileSync(join(FOLDER, 'service.log'), 'utf8'))}`
    }
    await sleep(50)
  }
  const ofClient = { ...env, DOCKER_HOST: `unix://${socket}`, DOCKER_BUILDKIT: '0' }
  try {
    await makeBase(FOLDER, env)
  } catch (error) {
    await stop()
    return `the stand-in for the base image cannot be made: ${error instanceof Error ? lastLine(error.message) : 'for no reason given'}`
  }
  const tried = await shell('docker run --rm node:26-slim node --version', { env: ofClient, timeoutMs: 60_000 })
  if (tried.status !== 0) {
    await stop()
    return `podman cannot run a container here: ${lastLine(tried.output)}`
  }
  return { name: `podman behind the docker client, Node ${tried.output.trim()}`, isStandIn: true, env: ofClient, stop }
}

/** Files of our own for podman, buildah and their storage. */
function configuration(): NodeJS.ProcessEnv {
  fs.mkdirSync(FOLDER, { recursive: true, mode: 0o700 })
  // What this process may not raise for itself, it cannot give to a container.
  const hard = (flag: string, most: number) => {
    const limit = Number(spawnSync('bash', ['-c', `ulimit -H${flag}`], { encoding: 'utf8' }).stdout)
    return Math.min(Number.isNaN(limit) ? most : limit, most)
  }
  const file = (name: string, content: string) => {
    fs.writeFileSync(join(FOLDER, name), content)
    return join(FOLDER, name)
  }
  // With the other one, containers do not find each other by name.
  const isNetavark = fs.existsSync('/usr/lib/podman/netavark')
  const [files, processes] = [hard('n', 65_536), hard('u', 32_768)]
  return {
    ...process.env,
    CONTAINERS_CONF: file('containers.conf', `[containers]\ndefault_ulimits = ["nofile=${files}:${files}", "nproc=${processes}:${processes}"]\n[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "runc"\n[network]\nnetwork_backend = "${isNetavark ? 'netavark' : 'cni'}"\nnetwork_config_dir = "${join(FOLDER, 'networks')}"\ndefault_subnet = "10.88.${isNetavark ? 77 : 76}.0/24"\n`),
    CONTAINERS_STORAGE_CONF: file('storage.conf', `[storage]\ndriver = "overlay"\ngraphroot = "${join(FOLDER, 'storage')}"\nrunroot = "${join(FOLDER, 'run')}"\n`),
    CONTAINERS_REGISTRIES_CONF: file('registries.conf', 'unqualified-search-registries = []\n[aliases]\n"node" = "localhost/node"\n'),
    BUILDAH_ISOLATION: 'chroot',
    BUILDAH_FORMAT: 'docker',
  }
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? ''
}
