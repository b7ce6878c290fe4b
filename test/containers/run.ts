import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect as openSocket, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '#adapters/postgres/connect.ts'
import { freePorts } from '#test/product.ts'
import { startTestServer } from '#test/server.ts'
import { startEngine } from './engine.ts'
import { digestOfInputs, PASSED, type Passed } from './inputs.ts'
import { isThere, ROOT, shell, type Ended } from './shell.ts'

/**
 * `npm run containers`: builds the image and goes through the runbook's deployment with the real `docker` client, line by line: build, run, health,
 * metrics, restart, kill and start, the second version beside the first, rename, logs, stats, a build without cache.
 *
 * Prints every line with what came of it, and closes with `N passed, N failed`. What cannot run on this machine is skipped by name.
 */
const started = performance.now()
const engine = await startEngine()
if (typeof engine === 'string') {
  console.log(`skipped: containers: ${engine}`)
  console.log('0 passed, 0 failed, 1 skipped')
  process.exit(0)
}
console.log(`engine: ${engine.name}${engine.isStandIn ? '\nbase: a STAND-IN for node:26-slim, made on this machine; sizes and Debian packages are its own' : ''}`)

const digest = digestOfInputs()
const suffix = randomBytes(3).toString('hex')
const home = mkdtempSync(join(tmpdir(), 'acgs-containers-'))
const database = await startTestServer()
const password = new URL(database.url).password
const env = { ...engine.env, PATH: (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules')).join(':') }
const isPodman = engine.isStandIn
let passed = 0
let failed = 0
let skipped = 0
let isStopping = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (isStopping = true))

/** Runs a line of a shell, shows it, and judges what it said. */
async function line(command: string, judge: (ended: Ended) => string | null = ({ status }) => (status === 0 ? null : `ended with ${status}`), options: { cwd?: string; timeoutMs?: number } = {}): Promise<string> {
  if (isStopping) throw new Error('asked to end')
  const begun = performance.now()
  const ended = await shell(command, { env, ...options })
  const because = judge(ended)
  const shown = `${command.replaceAll(home, 'SECRETS').replace(/\s+/g, ' ')}   (${((performance.now() - begun) / 1000).toFixed(1)} s)`
  if (because === null) passed++
  else failed++
  console.log(because === null ? `ok      ${shown}` : `FAILED  ${shown}\n        ${because}\n        ${ended.output.trim().slice(-1_500).replaceAll('\n', '\n        ')}`)
  return ended.output
}
const says = (pattern: RegExp) => ({ status, output }: Ended) => (status !== 0 ? `ended with ${status}` : pattern.test(output) ? null : `does not say ${String(pattern)}`)
/** Until a line says what it must; only the last try counts. */
async function soon(command: string, pattern: RegExp, timeoutMs = 90_000): Promise<string> {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline && !isStopping; await sleep(250)) {
    const { status, output } = await shell(command, { env, timeoutMs: 10_000 })
    if (status === 0 && pattern.test(output)) break
  }
  return line(command, says(pattern))
}

const names = { old: `acgs-pgp-v8`, next: `acgs-pgp-v8-new`, tried: `acgs-tried-${suffix}`, sleeps: `acgs-sleeps-${suffix}`, data: `acgs-data-${suffix}` }
let proxy: Server | undefined
try {
  // On an engine of our own, what is left is of a run that was killed.
  if (engine.isStandIn) await shell(`docker rm --force --volumes ${names.old} ${names.next}`, { env })
  const present = (await shell('docker ps --all --format "{{.Names}}"', { env })).output.split('\n')
  if (present.includes(names.old) || present.includes(names.next)) throw new Error(`a container named ${names.old} is there already, and is not touched`)
  await run()
} catch (error) {
  failed++
  console.log(`FAILED  ${error instanceof Error ? error.message : String(error)}`)
} finally {
  for (const name of [names.old, names.next, names.tried, names.sleeps]) if (passed > 0) await shell(`docker rm --force --volumes ${name}`, { env })
  await shell(`docker volume rm ${names.data} ${names.data}-new`, { env })
  proxy?.close()
  await database.stop()
  await engine.stop()
  rmSync(home, { recursive: true, force: true })
}
const minutes = Number(((performance.now() - started) / 60_000).toFixed(1))
if (failed === 0 && passed > 0 && skipped === 0) {
  const record: Passed = { digest, at: new Date().toISOString().slice(0, 10), lines: passed, minutes, engine: engine.name }
  writeFileSync(PASSED, `${JSON.stringify(record, null, 2)}\n`)
  console.log('recorded in test/containers/passed.json: commit it, and `npm run ci` runs this again only when something changes that it depends on')
}
console.log(`${minutes} minutes\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1

async function run(): Promise<void> {
  // The runbook's folder, which leads to this one.
  await line('docker build -t acgs-pgp-v8:latest .', says(/Successfully tagged|naming to/), { cwd: join(ROOT, 'services/core/acgs-pgp-v8'), timeoutMs: 600_000 })
  await line(`docker image inspect acgs-pgp-v8:latest --format '{{.Config.User}} {{.Config.Entrypoint}} {{.Config.Cmd}}'`, says(/^node \[\/app\/acgs\] \[serve all\]$/m))
  // podman keeps the health check, and does not tell the docker client of it.
  await line(isPodman ? `podman image inspect acgs-pgp-v8:latest --format '{{.HealthCheck.Test}}'` : `docker image inspect acgs-pgp-v8:latest --format '{{.Config.Healthcheck.Test}}'`, says(/^\[CMD node .*healthcheck\.ts\]$/m))
  const size = Number((await shell(`docker image inspect acgs-pgp-v8:latest --format '{{.Size}}'`, { env })).output)
  const base = Number((await shell(`docker image inspect node:26-slim --format '{{.Size}}'`, { env })).output)
  console.log(`        the image: ${(size / 1e6).toFixed(0)} MB, of which the base is ${(base / 1e6).toFixed(0)} MB`)
  await line(`docker run --rm --entrypoint sh acgs-pgp-v8:latest -c 'ls -d node_modules/typescript node_modules/node-linux-* 2> /dev/null; find . -path ./node_modules -prune -o \\( -name "*.test.ts" -o -name "*.jwk.json" -o -name "*.pem" \\) -print; find . -writable -not -type l'`, ({ output }) => (output.trim() === '' ? null : 'tests, tools, keys, or what its user may change are in the image'))

  // Where the containers find a PostgreSQL, as the runbook names it. It listens on loopback; they come by the address that is theirs for this machine.
  // This podman does not know `host-gateway`: there the address stands in its place.
  const named = isPodman ? 'host.containers.internal' : 'host.docker.internal'
  // It is there as long as a container is: one that only sleeps keeps it.
  await shell(`docker run -d --name ${names.sleeps} ${isPodman ? '' : '--add-host host.docker.internal:host-gateway'} --entrypoint sleep acgs-pgp-v8:latest infinity`, { env })
  const gateway = (await shell(`docker exec ${names.sleeps} getent hosts ${named}`, { env })).output.split(/\s/)[0] ?? ''
  const [databasePort = 0, port = 0, authPort = 0, portNext = 0] = await portsFor([5432, 8010, 8000, 8011])
  const to = Number(new URL(database.url).port)
  // Where containers run in a machine of their own, the address is not one of this machine, and leads to its loopback.
  proxy = await forward(gateway, databasePort, to).catch(() => forward('127.0.0.1', databasePort, to))
  const admin = new URL(database.url)
  admin.username = 'postgres'
  {
    await using db = connect(admin.href, { name: 'containers', connectionsMax: 1 })
    await db.query(`alter role acgs_user password 'acgs_password'`)
  }
  const host = `--add-host host.docker.internal:${isPodman ? gateway : 'host-gateway'}`
  const url = `postgresql://acgs_user:acgs_password@host.docker.internal:${databasePort}/acgs_db`

  // As it is written: `localhost` is the container itself, and no secret is given.
  await line(`docker run -d --name ${names.old} -p ${port}:8010 -e DATABASE_URL=postgresql://acgs_user:acgs_password@localhost:5432/acgs_db -e REDIS_URL=redis://localhost:6379/0 -e CONSTITUTIONAL_HASH=cdd01ef066bc6cf2 acgs-pgp-v8:latest`)
  await soon(`docker inspect ${names.old} --format '{{.State.Status}} {{.State.ExitCode}}'`, /^exited 2$/m)
  await line(`docker logs ${names.old}`, says(/signing_key_file` must be set in production.*token_issuer` must be set/))
  await line(`docker rm ${names.old}`)

  // With the corrections: the secrets beside, and the database where it is.
  await line(`npm run --silent secrets -- ${home}/made --single`, says(/docker run/))
  const secrets = `--env-file ${home}/made/server/env -v ${home}/made/server:/run/acgs:ro`
  await line(`docker run -d --name ${names.old} -p ${port}:8010 -p ${authPort}:8000 -e DATABASE_URL=${url} -e REDIS_URL=redis://host.docker.internal:6379/0 -e CONSTITUTIONAL_HASH=cdd01ef066bc6cf2 ${host} ${secrets} -v ${names.data}:/data acgs-pgp-v8:latest`)
  await soon(`curl --silent --fail http://localhost:${port}/health`, /"status":"(healthy|degraded)"/)
  if (failed > 0) throw new Error(`without a container that runs there is nothing to go through: ${(await shell(`docker ps --all --filter name=${names.old} --format '{{.Status}}'; docker logs ${names.old}`, { env })).output}`)
  await line(`curl --silent http://localhost:${port}/metrics | grep acgs_pgp_v8_system_uptime_seconds`, says(/^acgs_pgp_v8_system_uptime_seconds(\{.*\})? [\d.]+$/m))
  await line(`curl --silent http://localhost:${port}/metrics | grep duration | head -3`, says(/policy_generation_duration_seconds/))
  await line(`curl --silent http://localhost:${port}/api/v1/status`, says(/"constitutional_hash":"cdd01ef066bc6cf2"/))
  await line(`docker logs ${names.old}`, says(/ready in [\d.]+ s/))
  await line(`docker stats --no-stream ${names.old}`, says(/MiB|GiB/))
  // podman runs health checks only by systemd's timers, or when it is asked to.
  if (isPodman) await line(`podman healthcheck run ${names.old}`)
  else await soon(`docker inspect ${names.old} --format '{{.State.Health.Status}}'`, /^healthy$/m)
  await line(`docker exec ${names.old} sh -c 'id -u; touch /app/x /etc/x 2>&1; ls -ld /data'`, says(/^1000$[\s\S]*(Permission denied[\s\S]*){2}/m))
  const token = `$(AUTH_SERVICE_URL=http://localhost:${authPort} ACGS_SECURITY_TOKEN_ISSUER=http://localhost:8000 ./acgs token --role author --data ${home}/made/people)`
  const generation = await line(`curl --silent --fail -H "Authorization: Bearer ${token}" -H 'Content-Type: application/json' -d @examples/clinic.json http://localhost:${port}/api/v1/generate-policy | head -c 120`, says(/"generation_id":"/))
  const id = /"generation_id":"([^"]+)"/.exec(generation)?.[1] ?? 'none'
  const still = (at: number) => soon(`curl --silent --fail -H "Authorization: Bearer ${token}" http://localhost:${at}/api/v1/generations/${id} | head -c 200`, new RegExp(id))

  await line(`docker restart ${names.old}`)
  await soon(`curl --silent --fail http://localhost:${port}/health`, /"status":"(healthy|degraded)"/)
  await still(port)
  await line(`docker kill ${names.old}`)
  await line(`docker start ${names.old}`)
  await soon(`curl --silent --fail http://localhost:${port}/health`, /"status":"(healthy|degraded)"/)
  await still(port)

  // The second version beside the first; no CONSTITUTIONAL_HASH, as it is written: the image knows which constitution it enforces.
  await line('docker build -t acgs-pgp-v8:v8.0.1 .', says(/Successfully tagged|naming to/), { timeoutMs: 600_000 })
  await line(`docker run -d --name ${names.next} -p ${portNext}:8010 -e DATABASE_URL=${url} -e REDIS_URL=redis://host.docker.internal:6379/0 ${host} ${secrets} -v ${names.data}-new:/data --read-only --cap-drop ALL --security-opt no-new-privileges acgs-pgp-v8:v8.0.1`)
  await soon(`curl --silent --fail http://localhost:${portNext}/health`, /"status":"(healthy|degraded)"/)
  await still(portNext)
  await line(`curl --silent --fail http://localhost:${port}/readyz`, says(/"ready"/))
  await line(`docker stop --time 30 ${names.old}`)
  await line(`docker inspect ${names.old} --format '{{.State.ExitCode}}'`, says(/^0$/m))
  await line(`docker logs ${names.old}`, says(/stopped on SIGTERM$/m))
  await line(`docker rm ${names.old}`)
  await line(`docker rename ${names.next} ${names.old}`)
  await line(`curl --silent --fail http://localhost:${portNext}/health`, says(/"status":"(healthy|degraded)"/))
  await line(`docker restart ${names.old}`)
  await soon(`curl --silent --fail http://localhost:${portNext}/health`, /"status":"(healthy|degraded)"/)
  await line(`docker stop --time 30 ${names.old}`)

  // To try it out: everything generated, PostgreSQL included, with nothing written outside of /data.
  await line(`docker run -d --name ${names.tried} --read-only --cap-drop ALL -e ACGS_SERVICE_ENVIRONMENT=embedded acgs-pgp-v8:latest`)
  await soon(`docker logs ${names.tried}`, /postgres 18\.\d+ embedded in \/data/)
  await line(`docker exec ${names.tried} ls /data`, ({ output }) => (/postgres-lib/.test(output) ? 'the symlinks of the libraries were not made with the image' : /postgres/.test(output) ? null : 'no database'))
  await line(`docker exec ${names.tried} ./acgs token --role author`, says(/^ey/))
  await line(`docker stop --time 30 ${names.tried}`)

  await overTls()
  await divided(gateway, databasePort, admin)

  // Security updates: everything anew, and what it redistributes.
  await line('docker build --no-cache -t acgs-pgp-v8:latest .', says(/Successfully tagged|naming to/), { timeoutMs: 600_000 })
  await line('npm run --silent sbom -- --image acgs-pgp-v8:latest', (ended) => (ended.status === 0 && /pkg:deb\/debian\/libc6@/.test(ended.output) && /pkg:npm\/pg@/.test(ended.output) && /"name": "node"/.test(ended.output) ? null : 'does not name Debian packages, npm packages and Node'))
}

/** With a certificate of its own it speaks TLS, and its health check asks by TLS. */
async function overTls(): Promise<void> {
  if (!isThere('openssl')) {
    skipped++
    console.log('skipped: a container with a certificate: openssl is not installed')
    return
  }
  const [at = 0] = await freePorts(1)
  const files = join(home, 'tls')
  await shell(`mkdir ${files} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${files}/tls.key -out ${files}/tls.pem -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost && chmod 711 ${home} && chmod 755 ${files} && chown 1000:1000 ${files}/*`, { env })
  await shell(`docker rm --force --volumes ${names.tried}`, { env })
  await line(`docker run -d --name ${names.tried} -p ${at}:8010 -v ${files}:/run/acgs:ro -e ACGS_SERVICE_ENVIRONMENT=embedded -e ACGS_SERVICE_TLS_CERTIFICATE_FILE=/run/acgs/tls.pem -e ACGS_SERVICE_TLS_KEY_FILE=/run/acgs/tls.key acgs-pgp-v8:latest`)
  await soon(`curl --silent --fail --cacert ${files}/tls.pem --dump-header - https://localhost:${at}/health`, /strict-transport-security[\s\S]*"status":"healthy"/i)
  if (isPodman) await line(`podman healthcheck run ${names.tried}`)
  else await soon(`docker inspect ${names.tried} --format '{{.State.Health.Status}}'`, /^healthy$/m)
  await line(`docker stop --time 30 ${names.tried}`)
}

/** The four processes by compose, each with its own secrets, in the order in which compose would start them. */
async function divided(gateway: string, databasePort: number, admin: URL): Promise<void> {
  const free = await portsFor([8000, 8004, 8005, 8010])
  const client = isThere('docker-compose') ? 'docker-compose' : 'docker compose'
  const missing = String(free) !== '8000,8004,8005,8010' ? 'another program has a port of compose.yaml'
    : (await shell(`${client} version`, { env })).status !== 0 ? 'there is no compose client'
    : isPodman && !existsSync('/usr/lib/podman/aardvark-dns') ? 'containers would not find each other by name: netavark and aardvark-dns are not installed' : null
  if (missing !== null) {
    skipped++
    console.log(`skipped: the four processes by compose: ${missing}`)
    return
  }
  await line(`npm run --silent secrets -- ${home}/divided`, says(/docker compose/))
  for (const name of ['auth', 'platform']) {
    const file = join(home, 'divided', name, 'env')
    writeFileSync(file, readFileSync(file, 'utf8').replace('@postgres:5432', `@postgres:${databasePort}`))
  }
  await asSuperuser(admin, readFileSync(join(home, 'divided', 'postgres', 'database.sql'), 'utf8'))
  const compose = `${client} --env-file ${home}/divided/compose.env --project-name acgs-${suffix} -f compose.yaml -f test/containers/compose.stand-in.yaml`
  const withGateway = `ACGS_GATEWAY=${gateway}`
  await line(`cat >> ${home}/divided/compose.env <<< ${withGateway}`)
  try {
    for (const name of ['auth', 'platform']) await line(`${compose} run --rm --no-deps ${name} migrate ${name}`, says(new RegExp(`${name}: 0001_\\w+\\.sql`)))
    for (const [name, port] of [['auth', 8000], ['synthesis', 8004], ['compliance', 8005], ['platform', 8010]] as const) {
      await line(`${compose} up --detach --no-deps --no-build ${name}`)
      await soon(`curl --silent --fail http://localhost:${port}/health`, /"status":"(healthy|degraded)"/)
      if (failed > 0) throw new Error(`${name} does not start: ${(await shell(`${compose} logs`, { env })).output}`)
    }
    await soon('curl --silent --fail http://localhost:8010/health', /"status":"healthy"/)
    const token = `$(AUTH_SERVICE_URL=http://localhost:8000 ACGS_SECURITY_TOKEN_ISSUER=http://auth:8000 ./acgs token --role author --data ${home}/divided/people)`
    await line(`curl --silent --fail -H "Authorization: Bearer ${token}" -H 'Content-Type: application/json' -d @examples/clinic.json http://localhost:8010/api/v1/generate-policy | head -c 120`, says(/"generation_id":"/))
    await line(`for name in auth synthesis compliance platform; do ${compose} exec -T $name sh -c 'echo "$1: $(env | grep -c -E "DATABASE_URL|KEY_FILE|ACCOUNTS_FILE") $(ls /run/acgs 2> /dev/null | tr "\n" " ")"' sh $name; done`,
      says(/auth: 3 env service-accounts\.json token-signing\.jwk\.json \nsynthesis: 0 \ncompliance: 2 certificate\.pem env peer\.jwk\.json \nplatform: 2 env keys peer\.jwk\.json /))
  } finally {
    await line(`${compose} down --volumes --timeout 30`)
  }
}

/** What `psql -f` would do: a part before `\connect`, and one in the database that it names. */
async function asSuperuser(url: URL, sql: string): Promise<void> {
  const [before = '', after = ''] = sql.split(/^\\connect .*$/m)
  for (const [database, text] of [['postgres', before], ['acgs', after]] as const) {
    const at = new URL(url)
    at.pathname = `/${database}`
    await using db = connect(at.href, { name: 'containers', connectionsMax: 1 })
    for (const statement of text.split(';\n').filter((each) => each.trim() !== '')) await db.query(statement)
  }
}

/** The ports that the runbook names where they are free, else others. */
async function portsFor(wanted: readonly number[]): Promise<readonly number[]> {
  const others = await freePorts(wanted.length)
  return Promise.all(wanted.map((each, i) => new Promise<number>((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(others[i] as number))
    probe.listen(each, '0.0.0.0', () => probe.close(() => resolve(each)))
  })))
}

/** Whoever connects here speaks to a port on loopback. */
function forward(host: string, port: number, to: number): Promise<Server> {
  const server = createServer((near) => {
    const far = openSocket(to, '127.0.0.1')
    for (const [one, other] of [[near, far], [far, near]] as const) {
      one.pipe(other)
      one.on('error', () => other.destroy())
    }
  })
  return new Promise((resolve, reject) => server.once('error', reject).listen(port, host, () => resolve(server)))
}
