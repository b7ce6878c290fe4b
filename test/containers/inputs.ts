import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { digest, sha256 } from '#core/canonical.ts'
import { ROOT } from './shell.ts'

/** What decides how the image is built, started, stopped and asked for its health: when one of these changes, the containers are run again. */
const INPUTS = [
  'Dockerfile', '.dockerignore', '.npmrc', 'acgs', 'package.json', 'package-lock.json', 'compose.yaml', 'config/*', 'deploy/image/*', 'deploy/*.ts', 'test/containers/*.ts',
  'migrations/**/*.sql', 'src/main.ts', 'src/config.ts', 'src/cli/{serve,migrate,token}.ts', 'src/http/{health,port-holder}.ts', 'src/services/{apart,division,start-all}.ts',
  'src/services/*/start*.ts', 'src/adapters/keys/*.ts', 'src/adapters/postgres/{embedded,data-lock,process,unprivileged,migrate}.ts',
]
/** Which inputs the containers last ran with, all lines passing. */
export const PASSED = join(ROOT, 'test/containers/passed.json')

export type Passed = { readonly digest: string }

/** Their files, by path. */
export function inputs(): readonly string[] {
  return globSync(INPUTS, { cwd: ROOT }).filter((file) => !file.endsWith('.test.ts')).toSorted()
}

/** One number for all of them. */
export function digestOfInputs(): string {
  return digest(inputs().map((file) => [file, sha256(readFileSync(join(ROOT, file)))]))
}

/** Whether the containers have to be run again. */
export function isUnchanged(): boolean {
  try {
    return (JSON.parse(readFileSync(PASSED, 'utf8')) as Passed).digest === digestOfInputs()
  } catch {
    return false
  }
}
