import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { Failure } from '#core/failure.ts'
import { DEFAULT_FILE, ROOT, SECTIONS, readConfig, redact } from './config.ts'

const folder = mkdtempSync(join(tmpdir(), 'config-'))
function fileWith(text: string): string {
  const path = join(folder, `${Math.random().toString(36).slice(2)}.yaml`)
  writeFileSync(path, text)
  return path
}
function refusal(options: Parameters<typeof readConfig>[0]): Failure {
  try {
    readConfig(options)
  } catch (error) {
    assert(error instanceof Failure && error.code === 'CONFIG_INVALID')
    return error
  }
  assert.fail('the configuration was accepted')
}

test('with nothing given, the runbook’s ports and hash are in force', () => {
  const config = readConfig({ env: {} })
  assert.equal(config.services.platformPort, 8010)
  assert.equal(config.services.authUrl, 'http://127.0.0.1:8000')
  assert.equal(config.constitutional.hash, 'cdd01ef066bc6cf2')
  assert.equal(config.database.url, null)
  assert.equal(config.service.dataFolder, resolve(ROOT, 'data'))
})

test('the shipped file states exactly the defaults, every key of them', () => {
  const shipped = readConfig({ env: {} })
  const bare = readConfig({ file: fileWith('{}'), env: {} })
  assert.deepEqual(redact(shipped), redact(bare))
  for (const [section, keys] of Object.entries(SECTIONS)) {
    for (const key of Object.keys(keys)) {
      assert.notEqual(shipped.origins.get(`${section}.${key}`), 'default', `${section}.${key} is missing from the shipped file`)
    }
  }
})

test('the reference page has every key and its variable', () => {
  const page = readFileSync(join(ROOT, 'docs/reference/configuration.md'), 'utf8')
  for (const [section, keys] of Object.entries(SECTIONS)) {
    for (const key of Object.keys(keys)) assert.match(page, new RegExp(`\`${section}\\.${key}\``), `${section}.${key}`)
  }
})

test('the environment wins over the file, and the command line over both', () => {
  const file = fileWith('service:\n  data_folder: /from/file\nservices:\n  auth_port: 1111\n  platform_port: 2222\n')
  const config = readConfig({ file, env: { ACGS_SERVICES_AUTH_PORT: '3333', ACGS_SERVICE_DATA_FOLDER: '/from/env' }, dataFolder: '/from/flag' })
  assert.equal(config.services.platformPort, 2222)
  assert.equal(config.services.authPort, 3333)
  assert.equal(config.service.dataFolder, '/from/flag')
  assert.equal(config.origins.get('services.auth_port'), 'environment ACGS_SERVICES_AUTH_PORT')
  assert.equal(config.origins.get('services.synthesis_port'), 'default')
})

test('every key has a variable of its own', () => {
  const tls = { ACGS_SERVICE_TLS_CERTIFICATE_FILE: '/x', ACGS_SERVICE_TLS_KEY_FILE: '/x' } // One is refused without the other.
  const sample: Record<string, string> = { url: 'postgresql://u@h/d', hash: '0123456789012345', environment: 'embedded', log_level: 'warn', peer_client_id: 'acgs-x', trusted_proxies: '10.0.0.0/8', address_requests_per_minute: '7', generations_per_minute: '7', diagnoses_per_minute: '7', connections_max: '70' }
  for (const [section, keys] of Object.entries(SECTIONS)) {
    for (const [key, definition] of Object.entries(keys)) {
      const variable = `ACGS_${section}_${key}`.toUpperCase()
      const fallback = definition.fallback
      const text = `${section}.${key}` === 'redis.url' ? 'redis://h' : key in sample ? sample[key]! : key.endsWith('_url') || key === 'token_issuer' ? 'http://h' : String(fallback ?? '/x')
      const env = { ...(key.startsWith('tls_') ? tls : {}), [variable]: text }
      const config = readConfig({ env })
      assert.equal(config.origins.get(`${section}.${key}`), `environment ${variable}`)
    }
  }
})

test('the older names are honoured', () => {
  const config = readConfig({
    env: {
      DATABASE_URL: 'postgresql://u:p@h:5432/d', REDIS_URL: 'redis://localhost:6379/0', CONSTITUTIONAL_HASH: '0000000000000000', LOG_LEVEL: 'debug',
      AUTH_SERVICE_URL: 'http://a:1/', GS_SERVICE_URL: 'http://g:1', PGC_SERVICE_URL: 'http://c:1', PLATFORM_SERVICE_URL: 'http://p:1',
    },
  })
  assert.equal(config.database.url, 'postgresql://u:p@h:5432/d')
  assert.equal(config.constitutional.hash, '0000000000000000')
  assert.equal(config.services.authUrl, 'http://a:1')
  assert.equal(config.services.synthesisUrl, 'http://g:1')
  assert.equal(config.services.complianceUrl, 'http://c:1')
  assert.equal(config.services.platformUrl, 'http://p:1')
  assert.equal(config.monitoring.logLevel, 'debug')
  assert.equal(config.redis.url, 'redis://localhost:6379/0')
})

test('PORT moves a process that starts alone, and is not silently ignored when four start', () => {
  assert.equal(readConfig({ env: { PORT: '9000' }, process: 'synthesis' }).services.synthesisPort, 9000)
  const all = readConfig({ env: { PORT: '9000' } })
  assert.equal(all.services.platformPort, 8010)
  assert.match(all.notices.join(), /ACGS_SERVICES_PLATFORM_PORT/)
})

test('everything that is wrong is said at once, each with its place', () => {
  const file = fileWith('service:\n  hots: x\n  drain_seconds: soon\nservises: {}\n')
  const failure = refusal({ file, env: { ACGS_DATABASE_ULR: 'x', LOG_LEVEL: 'loud', ACGS_SERVICES_AUTH_PORT: '70000' } })
  const text = failure.problems.map((problem) => `${problem.place} ${problem.message}`).join('\n')
  assert.equal(failure.problems.length, 6)
  assert.match(text, /yaml:2 unknown key `service.hots`; there are environment, host/)
  assert.match(text, /yaml:3 `service.drain_seconds` must be a number of seconds from 0 to 600; `soon` is not/)
  assert.match(text, /yaml:4 unknown section `servises`/)
  assert.match(text, /environment ACGS_DATABASE_ULR unknown variable; did you mean one of ACGS_DATABASE_URL/)
  assert.match(text, /environment LOG_LEVEL `monitoring.log_level` must be/)
  assert.match(text, /environment ACGS_SERVICES_AUTH_PORT `services.auth_port` must be a port/)
})

test('a file that is not there or not YAML is named with its line', () => {
  assert.match(refusal({ file: join(folder, 'none.yaml'), env: {} }).message, /none.yaml: cannot be read: ENOENT/)
  assert.match(refusal({ file: fileWith('service:\n  host: [\n'), env: {} }).message, /yaml:\d/)
  assert.match(refusal({ file: fileWith('service:\n  host: a\n  host: b\n'), env: {} }).message, /unique/)
})

test('two names for one key must agree', () => {
  assert.match(refusal({ env: { DATABASE_URL: 'postgresql://a/b', ACGS_DATABASE_URL: 'postgresql://c/d' } }).message, /set one of them/)
  assert.equal(readConfig({ env: { LOG_LEVEL: 'warn', ACGS_MONITORING_LOG_LEVEL: 'warn' } }).monitoring.logLevel, 'warn')
})

test('variables of the command line and of tests are not keys; an empty variable is an absent one', () => {
  const config = readConfig({ env: { ACGS_TOKEN: 'x', ACGS_TEST_DATABASE_URL: 'x', ACGS_SLOW: '1', DATABASE_URL: '' } })
  assert.equal(config.database.url, null)
})

test('a hash of sixteen digits stays text', () => {
  assert.equal(readConfig({ env: { CONSTITUTIONAL_HASH: '1234567890123456' } }).constitutional.hash, '1234567890123456')
  assert.match(refusal({ file: fileWith('constitutional:\n  hash: 1234567890123456\n'), env: {} }).message, /in quotes/)
})

test('production refuses to start without its secrets, and names them all', () => {
  const failure = refusal({ env: { ACGS_SERVICE_ENVIRONMENT: 'production' } })
  assert.deepEqual(failure.problems.map((problem) => problem.place), [
    'database.url', 'security.certificate_key_file', 'security.service_accounts_file', 'security.signing_key_file', 'security.token_issuer',
  ])
  const synthesis = refusal({ env: { ACGS_SERVICE_ENVIRONMENT: 'production' }, process: 'synthesis' })
  assert.deepEqual(synthesis.problems.map((problem) => problem.place), ['security.token_issuer'])
})

test('what is shown holds no password, in the reply or in a refusal', () => {
  const config = readConfig({ env: { DATABASE_URL: 'postgresql://u:geheim@h/d?password=geheim2', REDIS_URL: 'redis://:geheim@h' } })
  assert.doesNotMatch(JSON.stringify(redact(config)), /geheim/)
  assert.match(JSON.stringify(redact(config)), /redacted/)
  assert.doesNotMatch(refusal({ env: { DATABASE_URL: 'mysql://u:geheim@h/d' } }).message, /geheim/)
})

test('the configuration cannot be changed afterwards', () => {
  const config = readConfig({ env: {} })
  assert.throws(() => { (config.service as { host: string }).host = 'x' }, TypeError)
})

test('the default file is the one in the repository', () => {
  assert.equal(DEFAULT_FILE, resolve(ROOT, 'config/acgs_pgp_v8_config.yaml'))
})

test('a URL of a process that is not started apart yet is not silently without effect', () => {
  const { notices } = readConfig({ env: { GS_SERVICE_URL: 'http://10.1.2.3:1' } })
  assert.ok(notices.some((notice) => notice.includes('synthesis') && notice.includes('not contacted')))
  assert.deepEqual(readConfig({ env: {} }).notices, [])
})

test('a process that is started apart is given its own secrets, all of them, and refuses those of the others', () => {
  const secrets = {
    DATABASE_URL: 'postgresql://u:p@h:5432/d', ACGS_SECURITY_SIGNING_KEY_FILE: '/k/token', ACGS_SECURITY_SERVICE_ACCOUNTS_FILE: '/k/accounts',
    ACGS_SECURITY_CERTIFICATE_KEY_FILE: '/k/certificate', ACGS_SECURITY_PEER_KEY_FILE: '/k/peer',
  }
  const own = {
    platform: ['DATABASE_URL', 'ACGS_SECURITY_PEER_KEY_FILE'],
    auth: ['DATABASE_URL', 'ACGS_SECURITY_SIGNING_KEY_FILE', 'ACGS_SECURITY_SERVICE_ACCOUNTS_FILE'],
    synthesis: [],
    compliance: ['ACGS_SECURITY_CERTIFICATE_KEY_FILE', 'ACGS_SECURITY_PEER_KEY_FILE'],
  } as const
  for (const process of ['platform', 'auth', 'synthesis', 'compliance'] as const) {
    const mine: readonly string[] = own[process]
    const given = Object.fromEntries(Object.entries(secrets).filter(([name]) => mine.includes(name)))
    assert.equal(readConfig({ env: given, process }).process, process)
    for (const [name, value] of Object.entries(secrets)) {
      const failure = mine.includes(name)
        ? refusal({ env: { ...given, [name]: '' }, process })
        : refusal({ env: { ...given, [name]: value }, process })
      assert.equal(failure.problems.length, 1, `${process} ${name}`)
      assert.match(failure.problems[0]!.message, mine.includes(name) ? /must be set for/ : /must not be given to/)
      if (!mine.includes(name)) assert.equal(failure.problems[0]!.place, `environment ${name}`)
    }
  }
})
