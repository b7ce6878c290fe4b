import assert from 'node:assert/strict'
import { readFileSync, globSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { inputs } from './inputs.ts'
import { ROOT } from './shell.ts'

test('what the image copies besides its data is among what makes the containers run again', () => {
  const named = inputs()
  for (const file of ['Dockerfile', '.dockerignore', 'compose.yaml', 'deploy/image/healthcheck.ts', 'deploy/secrets.ts', 'src/config.ts', 'src/services/edge.ts', 'src/services/platform/start-apart.ts', 'migrations/auth/0001_what_auth_remembers.sql', 'test/containers/run.ts']) {
    assert.ok(named.includes(file), file)
  }
  assert.ok(!named.some((file) => file.endsWith('.test.ts')))
})

test('the context lets in everything that the Dockerfile copies, and no test, secret or data', () => {
  const allowed = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n').filter((line) => line.startsWith('!')).map((line) => line.slice(1))
  const copied = [...readFileSync(join(ROOT, 'Dockerfile'), 'utf8').matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, sources]) => (sources as string).split(' '))
  assert.ok(copied.length > 10)
  for (const source of copied) assert.ok(allowed.includes(source) && globSync(source, { cwd: ROOT }).length > 0, source)
  assert.deepEqual(allowed.filter((name) => !copied.includes(name)), [], 'nothing is sent that is not copied')
  assert.ok(!allowed.some((name) => ['data', 'secrets', 'divided', 'test', 'node_modules'].includes(name)))
  assert.match(readFileSync(join(ROOT, '.dockerignore'), 'utf8'), /^\*$/m)
})
