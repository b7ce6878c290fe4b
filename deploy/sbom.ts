import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { ROOT } from '#config'
import { billOfMaterials, type Base, type Platform } from './bill-of-materials.ts'

/**
 * `npm run sbom`: the bill of materials of the image on standard output. With `--image NAME`, Node and the Debian packages are read from that image
 * with `docker`; with `--out FILE`, it is written there.
 */
const { values } = parseArgs({ options: { image: { type: 'string' }, out: { type: 'string' }, cpu: { type: 'string', default: process.arch === 'arm64' ? 'arm64' : 'x64' } } })
const inImage = (entrypoint: string, ...args: string[]) => execFileSync('docker', ['run', '--rm', '--entrypoint', entrypoint, values.image as string, ...args], { encoding: 'utf8', maxBuffer: 2 ** 26 })
const base: Base | null = values.image === undefined ? null : {
  node: z.record(z.string(), z.string()).parse(JSON.parse(inImage('node', '--print', 'JSON.stringify(process.versions)'))),
  dpkgStatus: inImage('cat', '/var/lib/dpkg/status'),
}
const platform: Platform = { os: 'linux', cpu: z.enum(['x64', 'arm64']).parse(values.cpu) }
const document = billOfMaterials({ lockfile: readFileSync(join(ROOT, 'package-lock.json'), 'utf8'), nodeModules: join(ROOT, 'node_modules'), platform, base })
const text = `${JSON.stringify(document, null, 2)}\n`
if (values.out === undefined) process.stdout.write(text)
else writeFileSync(values.out, text)
