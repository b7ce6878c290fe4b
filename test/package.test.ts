import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const text = (file: string) => fs.readFileSync(join(root, file), 'utf8')
const manifest = JSON.parse(text('package.json')) as { version: string; dependencies: Record<string, string>; devDependencies: Record<string, string>; optionalDependencies: Record<string, string> }
const everything = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies }

test('the lockfile pins runtime and database for all four platforms, whichever one it was written on', () => {
  const { packages } = JSON.parse(text('package-lock.json')) as { packages: Record<string, { version: string; optional?: boolean; integrity?: string }> }
  assert.equal(Object.keys(manifest.optionalDependencies).length, 8)
  for (const [name, version] of Object.entries(manifest.optionalDependencies)) {
    const locked = packages[`node_modules/${name}`]
    assert.equal(locked?.version, version, name)
    assert.equal(locked.optional, true, name)
    assert.match(locked.integrity ?? '', /^sha512-/, name)
  }
})

test('the lockfile names no place to download from', () => {
  assert.doesNotMatch(text('package-lock.json'), /"resolved"|\.tgz/)
})

test('every version is exact', () => {
  for (const [name, version] of Object.entries(everything)) assert.match(version, /^\d+\.\d+\.\d+(-[a-z0-9.]+)?$/, name)
})

test('every dependency has its reason on the page, and the page names no other', () => {
  const named = [...text('docs/dependencies.md').matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1] as string)
  assert.deepEqual(named.toSorted(), Object.keys(everything).toSorted())
})

/** A folder that looks like a checkout to the launcher: a main file that tells what it was given. */
const checkout = fs.mkdtempSync(join(tmpdir(), 'launcher-'))
after(() => fs.rmSync(checkout, { recursive: true }))
fs.mkdirSync(join(checkout, 'src'))
fs.mkdirSync(join(checkout, 'elsewhere'))
fs.mkdirSync(join(checkout, 'node_modules', '.bin'), { recursive: true })
fs.copyFileSync(join(root, 'acgs'), join(checkout, 'acgs'))
fs.writeFileSync(join(checkout, 'src', 'main.ts'), 'const given: unknown = [process.version, process.pid, ...process.argv.slice(2)]\nconsole.log(JSON.stringify(given))\n')
fs.symlinkSync('../acgs', join(checkout, 'elsewhere', 'link'))
fs.symlinkSync(join(checkout, 'elsewhere', 'link'), join(checkout, 'elsewhere', 'link-to-link'))
const launch = (program: string, ...args: string[]) => spawnSync(program, args, { encoding: 'utf8', cwd: '/' })
const runtime = join(checkout, 'node_modules', '.bin', 'node')

test('without its runtime the launcher says what to run and which platforms there are, and never takes another Node', () => {
  const { status, stdout, stderr } = launch(join(checkout, 'acgs'), '--version')
  assert.equal(status, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /npm ci/)
  assert.match(stderr, /Linux with glibc \(x64, arm64\) and macOS \(x64, arm64\).*WSL.*not musl/)
})

test('the launcher becomes the pinned runtime, through symlinks, with its arguments untouched', () => {
  fs.symlinkSync(process.execPath, runtime)
  for (const program of ['acgs', 'elsewhere/link', 'elsewhere/link-to-link']) {
    const { pid, stdout } = launch(join(checkout, program), 'a b', '', '$HOME')
    // The same pid as the script that was started: `exec`, so killing it kills the product.
    assert.deepEqual(JSON.parse(stdout), [process.version, pid, 'a b', '', '$HOME'], program)
  }
})

test('a runtime that does not run here is refused in the same words', () => {
  fs.rmSync(runtime)
  fs.writeFileSync(runtime, '\x7fELF for another machine', { mode: 0o755 })
  const { status, stderr } = launch('/bin/sh', join(checkout, 'acgs'))
  assert.notEqual(status, 0)
  if (fs.realpathSync('/bin/sh').endsWith('dash')) assert.match(stderr, /npm ci/) // bash says so in words of its own
})
