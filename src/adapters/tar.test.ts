import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Failure } from '#core/failure.ts'
import { temporaryFolder } from '#test/server.ts'
import { filesOfTar } from './tar.ts'

const CONTENTS: { readonly [name: string]: string } = {
  'a.json': '{}',
  'folder/empty': '',
  'folder/exactly one block': 'x'.repeat(512),
  [`${'long/'.repeat(30)}${'n'.repeat(120)}`]: 'long',
  'ümlaut/😀': 'y'.repeat(5_000),
}

function archive(...options: readonly string[]): Buffer {
  const folder = temporaryFolder()
  for (const [name, content] of Object.entries(CONTENTS)) {
    mkdirSync(dirname(join(folder, 'in', name)), { recursive: true })
    writeFileSync(join(folder, 'in', name), content)
  }
  execFileSync('tar', ['-cf', join(folder, 'out.tar'), ...options, '-C', join(folder, 'in'), '.'])
  return readFileSync(join(folder, 'out.tar'))
}

for (const format of ['gnu', 'posix']) {
  test(`what tar packs is unpacked, gzipped or not, whichever way long names are written: ${format}`, () => {
    const packed = archive(`--format=${format}`)
    for (const bytes of [packed, gzipSync(packed)]) {
      assert.deepEqual(Object.fromEntries([...filesOfTar(bytes)].map(([name, content]) => [name, String(content)]).sort()), Object.fromEntries(Object.entries(CONTENTS).sort()))
    }
  })
}

test('what is damaged, cut off, no archive or larger than allowed is refused', () => {
  const packed = archive('--format=gnu')
  const refused = (error: unknown) => error instanceof Failure && error.code === 'FILE_UNREADABLE'
  const damaged = Buffer.from(packed)
  damaged[10] = 0x7a
  assert.throws(() => filesOfTar(damaged), refused)
  assert.throws(() => filesOfTar(packed.subarray(0, 700)), refused)
  assert.throws(() => filesOfTar(Buffer.from('not an archive')), refused)
  assert.throws(() => filesOfTar(gzipSync(packed).subarray(0, 60)), refused)
  assert.throws(() => filesOfTar(gzipSync(packed), 1_000), refused)
})
