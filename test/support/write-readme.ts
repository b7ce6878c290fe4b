import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { withOutputs } from './console-blocks.ts'
import { runPage } from './run-page.ts'

/** Pastes into the README what its commands print now: `node test/support/write-readme.ts`. */
const file = fileURLToPath(new URL('../../README.md', import.meta.url))
const page = readFileSync(file, 'utf8')
writeFileSync(file, withOutputs(page, await runPage(page)))
