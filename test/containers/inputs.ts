import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { digest, sha256 } from '#core/canonical.ts'
import { ROOT } from './shell.ts'

/** What decides how the image is built, started, stopped and asked for its health: when one of these changes, the containers are run again. */
const INPUTS = [
  'Dockerfile', '.dockerignore', '.npmrc', 'acgs', 'package.json', 'package-lock.json', 'compose.yaml', 'config/*', 'deploy/image/*', 'deploy/*.ts', 'test/containers/*.ts',
  'migrations/**/*.sql', 'src/main.ts', 'src/config.ts', 'src/cli/{serve,migrate,token}.ts', 'src/http/{health,port-holder}.ts', 'src/services/{apart,database,division,edge,start-all}.ts',
  'src/services/*/start*.ts', 'src/adapters/keys/*.ts', 'src/adapters/postgres/{embedded,data-lock,process,unprivileged,migrate}.ts',
]
/** Which inputs the containers last ran with, all lines passing. */
export const PASSED = join(ROOT, 'test/containers/passed.json')

/** What was run, when, and how many of its lines passed. */
export type Passed = { readonly digest: string; readonly at: string; readonly lines: number; readonly minutes: number; readonly engine: string }

/** Their files, by path. */
export function inputs(): readonly string[] {
  return globSync(INPUTS, { cwd: ROOT }).filter((file) => !file.endsWith('.test.ts')).toSorted()
}

/** One number for all of them. */
export function digestOfInputs(): string {
  return digest(inputs().map((file) => [file, sha256(readFileSync(join(ROOT, file)))]))
}

/** The run that passed with exactly these inputs; null when the containers have to be run again. */
export function passedUnchanged(): Passed | null {
  try {
    const passed = JSON.parse(readFileSync(PASSED, 'utf8')) as Passed
    return passed.digest === digestOfInputs() ? passed : null
  } catch {
    return null
  }
}

/** How a pass by that record is told. */
export function toldUnchanged({ digest, at, lines, engine }: Passed): string {
  return `containers: unchanged since ${at}, when ${lines} lines passed with ${engine} (inputs ${digest.slice(0, 12)}): passed by that record, not run`
}
