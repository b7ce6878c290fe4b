import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { z } from 'zod'
import { readConfig } from '#config'
import { freePorts } from '#test/product.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const home = mkdtempSync(join(tmpdir(), 'acgs-compose-'))
after(() => rmSync(home, { recursive: true, force: true }))
const secrets = join(home, 'secrets')
const make = (...args: string[]) => spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', join(root, 'deploy/secrets.ts'), ...args], { encoding: 'utf8' })
const made = make(secrets)

/** Every key that our file uses: a misspelt one is refused, instead of being silently without effect. */
const Healthcheck = z.strictObject({ test: z.array(z.string()), interval: z.string(), timeout: z.string(), retries: z.int() })
const Service = z.strictObject({
  image: z.string(), build: z.string().optional(), user: z.string().optional(), command: z.array(z.string()).optional(), restart: z.literal('unless-stopped'),
  read_only: z.boolean().optional(), cap_drop: z.tuple([z.literal('ALL')]).optional(), security_opt: z.array(z.string()).optional(), tmpfs: z.array(z.string()).optional(),
  stop_signal: z.string().optional(), stop_grace_period: z.string().optional(), shm_size: z.string().optional(),
  env_file: z.string().optional(), environment: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
  volumes: z.array(z.string()).default([]), networks: z.array(z.string()), ports: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.strictObject({ condition: z.literal('service_healthy') })).default({}),
  healthcheck: Healthcheck.optional(), logging: z.strictObject({ driver: z.literal('json-file'), options: z.record(z.string(), z.string()) }),
})
const Compose = z.strictObject({
  'x-process': z.unknown(), 'x-environment': z.unknown(),
  services: z.record(z.string(), Service), networks: z.record(z.string(), z.null()), volumes: z.record(z.string(), z.null()),
})

const variables: Readonly<Record<string, string>> = { ACGS_SECRETS: secrets, ACGS_UID: '1000', ACGS_GID: '1000' }
const text = readFileSync(join(root, 'compose.yaml'), 'utf8').replace(/\$\{(\w+)(:\?[^}]*)?\}/g, (_, name: string) => variables[name] ?? assert.fail(`compose.yaml uses \`${name}\`, which nothing sets`))
const { services, networks, volumes } = Compose.parse(parse(text, { merge: true }))
const PROCESSES = ['auth', 'synthesis', 'compliance', 'platform'] as const
const serviceOf = (name: string) => services[name] ?? assert.fail(`there is no service ${name}`)
const variablesIn = (file: string) => Object.fromEntries(readFileSync(file, 'utf8').split('\n').filter((line) => line !== '').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]))

/** What the Dockerfile sets for every container. */
const image = Object.fromEntries([...readFileSync(join(root, 'Dockerfile'), 'utf8').matchAll(/^(?:ENV| {4}) *(\w+)=(\S+)/gm)].map(([, name, value]) => [name as string, value as string]))
const environmentOf = (name: string, file = serviceOf(name).env_file) => ({ ...image, ...variablesIn(file as string), ...Object.fromEntries(Object.entries(serviceOf(name).environment ?? {}).map(([key, value]) => [key, String(value)])) })
/** The file of this machine that a container sees at a path; null when it sees none. */
const seen = (name: string, path: string) => {
  const mounts = serviceOf(name).volumes.map((each) => each.split(':') as [string, string]).filter(([, target]) => path === target || path.startsWith(`${target}/`))
  const [source, target] = mounts.toSorted((a, b) => b[1].length - a[1].length)[0] ?? assert.fail(`${name} has nothing mounted at ${path}`)
  return join(source, path.slice(target.length))
}

test('secrets are made once, in a folder that only their owner can enter', () => {
  assert.equal(made.status, 0, made.stderr)
  assert.equal(statSync(secrets).mode & 0o777, 0o700)
  for (const name of readdirSync(secrets, { recursive: true, encoding: 'utf8' })) {
    const { mode } = statSync(join(secrets, name))
    assert.equal(mode & 0o077, 0, name)
  }
  const again = make(secrets)
  assert.equal(again.status, 2)
  assert.match(again.stderr, /never replaced/)
})

test('each process is configured completely, by what compose gives it and the image brings', () => {
  assert.equal(image['ACGS_SERVICE_ENVIRONMENT'], 'production')
  for (const name of PROCESSES) {
    assert.deepEqual(serviceOf(name).command, ['serve', name])
    const config = readConfig({ env: environmentOf(name), process: name })
    assert.deepEqual([config.service.host, config.service.environment, config.security.tokenIssuer], ['0.0.0.0', 'production', 'http://auth:8000'], name)
    for (const file of [config.security.signingKeyFile, config.security.serviceAccountsFile, config.security.certificateKeyFile, config.security.peerKeyFile]) {
      if (file !== null) assert.ok(existsSync(seen(name, file)), `${name}: ${file}`)
    }
    for (const peer of PROCESSES) assert.equal(config.services[`${peer}Url`], `http://${peer}:${config.services[`${peer}Port`]}`)
  }
  assert.ok(existsSync(seen('platform', '/data/keys/certificate.jwks.json')), 'the platform knows whose certificates count')
})

test('no process is given what another one guards, and a mistake does not start', () => {
  for (const name of PROCESSES) {
    const own = serviceOf(name).volumes.filter((each) => each.startsWith(secrets)).map((each) => each.slice(secrets.length + 1).split(/[:/]/)[0])
    assert.ok(own.every((each) => each === name), `${name} mounts ${own.join(', ')}`)
    assert.equal(serviceOf(name).env_file, join(secrets, name, 'env'))
  }
  const database = ['auth', 'platform', 'postgres', 'redis']
  assert.deepEqual(Object.keys(services).filter((name) => serviceOf(name).networks.includes('data')).toSorted(), database)
  for (const [thief, victim] of [['synthesis', 'auth'], ['compliance', 'platform'], ['platform', 'auth'], ['auth', 'compliance']] as const) {
    assert.throws(() => readConfig({ env: environmentOf(thief, join(secrets, victim, 'env')), process: thief }), /must not be given to/, `${thief} with the secrets of ${victim}`)
  }
})

test('containers run as a user, on a file system that they cannot change, reachable from this machine only', () => {
  for (const [name, service] of Object.entries(services)) {
    for (const port of service.ports) assert.match(port, /^127\.0\.0\.1:(\d+):\1$/, name)
    for (const network of service.networks) assert.ok(network in networks, network)
    for (const mount of service.volumes) {
      const [source = '', , mode] = mount.split(':')
      if (source.startsWith('/') || source.startsWith('.')) {
        assert.equal(mode, 'ro', mount)
        assert.ok(existsSync(join(source.startsWith('.') ? root : '', source)), mount)
      } else assert.ok(source in volumes, mount)
    }
  }
  for (const name of [...PROCESSES, 'redis']) {
    const { user, read_only, cap_drop } = serviceOf(name)
    assert.deepEqual([user, read_only, cap_drop], ['1000:1000', true, ['ALL']], name)
  }
  for (const name of PROCESSES) for (const dependency of Object.keys(serviceOf(name).depends_on)) {
    assert.ok(serviceOf(dependency).healthcheck !== undefined || (PROCESSES as readonly string[]).includes(dependency), `whether ${dependency} is healthy is not known`)
  }
})

test('Prometheus scrapes each process at its port, and reads the rules that the alerts are in', () => {
  const { scrape_configs, rule_files, alerting } = parse(readFileSync(join(root, 'deploy/compose/prometheus.yaml'), 'utf8')) as { scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[]; rule_files: string[]; alerting: unknown }
  const { services: ports } = readConfig({ env: {} })
  const wanted = { 'acgs-pgp-v8-service': 'platform', 'acgs-auth': 'auth', 'acgs-synthesis': 'synthesis', 'acgs-compliance': 'compliance' } as const
  assert.deepEqual(Object.fromEntries(scrape_configs.map(({ job_name, static_configs }) => [job_name, static_configs[0]?.targets])), Object.fromEntries(Object.entries(wanted).map(([job, name]) => [job, [`${name}:${ports[`${name}Port`]}`]])))
  for (const file of rule_files) assert.ok(serviceOf('prometheus').volumes.some((mount) => mount.includes(`config/${file}:/etc/prometheus/${file}`)))
  assert.match(JSON.stringify(alerting), /alertmanager:9093/)
  const { route, receivers } = parse(readFileSync(join(root, 'deploy/compose/alertmanager.yaml'), 'utf8')) as { route: { receiver: string; routes: { receiver: string; matchers: string[] }[] }; receivers: { name: string }[] }
  const alerts = [...readFileSync(join(root, 'config/alerts.yaml'), 'utf8').matchAll(/alert: (\w+)/g)].map(([, name]) => name as string)
  for (const { receiver, matchers } of [{ ...route, matchers: [] }, ...route.routes]) {
    assert.ok(receivers.some(({ name }) => name === receiver), receiver)
    for (const name of matchers.join().match(/ACGS\w+|\b[A-Z]\w+(?=[|"])/g) ?? []) assert.ok(alerts.includes(name), `${name} is no alert`)
  }
})

test('Redis knows a user for each process that may use it, who may not administer', { skip: isThere('redis-server') && isThere('redis-cli') ? false : 'redis-server is not installed' }, async () => {
  const [port = 0] = await freePorts(1)
  const server = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--aclfile', join(secrets, 'redis', 'users.acl')], { cwd: home, stdio: 'ignore' })
  const ask = (url: string | null, ...command: string[]) => spawnSync('redis-cli', [...(url === null ? ['-p', String(port)] : ['--no-auth-warning', '-u', url.replace('@redis:6379', `@127.0.0.1:${port}`)]), ...command], { encoding: 'utf8' }).stdout.trim()
  try {
    for (let tries = 0; !/NOAUTH|PONG/.test(ask(null, 'ping')) && tries < 100; tries++) await sleep(50)
    assert.match(ask(null, 'get', 'x'), /NOAUTH/)
    for (const name of ['auth', 'platform']) {
      const url = environmentOf(name)['REDIS_URL'] ?? assert.fail()
      assert.equal(ask(url, 'set', 'x', name), 'OK')
      assert.equal(ask(url, 'get', 'x'), name)
      assert.match(ask(url, 'info', 'stats'), /keyspace_hits/)
      assert.match(ask(url, 'config', 'set', 'maxmemory', '1'), /NOPERM/)
      assert.match(ask(url, 'flushall'), /NOPERM/)
    }
    for (const name of ['synthesis', 'compliance']) assert.equal(environmentOf(name)['REDIS_URL'], undefined)
  } finally {
    const ended = new Promise((resolve) => server.once('exit', resolve))
    server.kill()
    await ended
  }
})

const client = spawnSync('docker', ['compose', 'version']).status === 0 ? ['docker', 'compose'] : isThere('docker-compose') ? ['docker-compose'] : null
test('the real client takes the file, and would not take a misspelt one', { skip: client === null ? 'neither `docker compose` nor `docker-compose` is installed' : false }, () => {
  assert(client !== null)
  const [program = '', ...first] = client
  const config = (file: string) => spawnSync(program, [...first, '--env-file', join(secrets, 'compose.env'), '--project-directory', root, '-f', file, 'config', '-q'], { encoding: 'utf8' })
  const taken = config(join(root, 'compose.yaml'))
  assert.equal(taken.status, 0, taken.stderr)
  const misspelt = join(home, 'misspelt.yaml')
  writeFileSync(misspelt, readFileSync(join(root, 'compose.yaml'), 'utf8').replace('read_only: true', 'read_onyl: true'))
  assert.notEqual(config(misspelt).status, 0)
})

function isThere(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}
