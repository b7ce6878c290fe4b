import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from '#test/server.ts'
import { noHistory } from './versions.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

test('a shallow clone is made whole from its origin; without one, it says what to do', { skip: noHistory() ?? false }, () => {
  const folder = temporaryFolder()
  const clone = join(folder, 'clone')
  const git = (...args: readonly string[]) => execFileSync('git', args, { cwd: clone, stdio: 'pipe' })
  const asked = (isFetched: boolean) => {
    const script = `console.log(JSON.stringify((await import('./test/rolling/versions.ts')).noHistory(${isFetched})))`
    return JSON.parse(execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', script], { cwd: clone, encoding: 'utf8' })) as string | null
  }
  try {
    execFileSync('git', ['clone', '--quiet', '--depth', '1', `file://${ROOT}`, clone], { stdio: 'pipe' })
    copyFileSync(join(ROOT, 'test/rolling/versions.ts'), join(clone, 'test/rolling/versions.ts'))
    assert.equal(asked(false), 'this clone is shallow: `git fetch --unshallow` brings the earlier versions')
    git('remote', 'set-url', 'origin', `file://${folder}/nowhere`)
    assert.equal(asked(true), 'this clone is shallow, and its origin did not give the earlier versions: `git fetch --unshallow` says why')
    git('remote', 'set-url', 'origin', `file://${ROOT}`)
    assert.equal(asked(true), null)
    assert.equal(asked(false), null, 'it is whole now')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
