import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXIT, report } from '../cli/terminal.ts'
import { fileFailure, whyUnreadable, whyUnwritable } from './file-failure.ts'

const failed = (code: string, more: object = {}) => Object.assign(new Error(code), { code, syscall: 'open', ...more })

test('why a place cannot be written says what to do, and what else would help there', () => {
  assert.match(whyUnwritable(failed('ENOSPC')) ?? '', /make room/)
  assert.match(whyUnwritable(failed('EACCES')) ?? '', /--data DIR/)
  assert.equal(whyUnwritable(failed('EACCES'), 'name another place'), 'this user may not: give it to the user who runs this, or name another place')
  assert.equal(whyUnwritable(failed('EEXIST')), null)
  for (const found of [failed('ENOTDIR'), failed('EEXIST', { syscall: 'mkdir' })]) assert.match(whyUnwritable(found) ?? '', /a file where a folder is needed.*--data DIR/)
})

test('why a file cannot be read is said in words', () => {
  assert.deepEqual(['ENOENT', 'EISDIR', 'EACCES', 'EMFILE'].map((code) => whyUnreadable(failed(code))), ['there is no such file', 'it is a folder', 'this user may not: give it to the user who runs this', 'EMFILE'])
})

test('a file that the command line may not open is bad input, and no mistake of ours', () => {
  assert.equal(fileFailure(failed('EACCES', { path: '/srv/keys' }), '/srv')?.message, 'cannot use `/srv/keys`: this user may not: give it to the user who runs this, or choose another data folder with --data DIR')
  assert.equal(report(failed('EACCES', { path: '/srv/keys' }), {}), EXIT.usage)
  assert.equal(report(failed('EEXIST'), {}), EXIT.failed)
})
