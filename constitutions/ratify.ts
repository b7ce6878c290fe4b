import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { stringify } from 'yaml'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { ratifyAsInherited } from '#core/constitution/ratification.ts'

/**
 * Ratifies the shipped constitution under the inherited id: `node constitutions/ratify.ts`, after `acgs.yaml` was changed on
 * purpose. The key is made for this one signature and never leaves the process; its public half goes into the record, and into
 * `inherited.ts`, so that a changed document needs a changed program.
 */
const folder = new URL('.', import.meta.url)
const constitution = parseConstitution(readFileSync(new URL('acgs.yaml', folder), 'utf8'))
const { privateKey } = generateKeyPairSync('ed25519')
const record = ratifyAsInherited(constitution, { name: 'the maintainers of this repository', at: new Date().toISOString().slice(0, 10), privateKey })

const heading = '# Ties the inherited id to the full digest of acgs.yaml. docs/concepts/constitution.md says what the signature means.\n'
writeFileSync(new URL('acgs.ratification.yaml', folder), heading + stringify(record, { lineWidth: 0 }))

const inherited = new URL('../src/core/constitution/inherited.ts', folder)
const text = readFileSync(inherited, 'utf8')
writeFileSync(inherited, text.replace(/(INHERITED_RATIFIER = ')[^']*'/, `$1${record.public_key}'`))
console.log(`ratified ${constitution.digest} as ${record.id}, version ${record.version}`)
