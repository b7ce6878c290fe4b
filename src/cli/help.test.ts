import assert from 'node:assert/strict'
import test from 'node:test'
import { runAcgs } from '#test/product.ts'

test('an unknown command is named and exits 2, also when its help is asked for', async () => {
  const asked = [['frob', '--help'], ['help', 'frob'], ['prove', 'frob', '--help'], ['help', 'constitution', 'frob']]
  for (const { args, status, stdout, stderr } of await Promise.all(asked.map(async (args) => ({ args, ...(await runAcgs(args)) })))) {
    assert.deepEqual([status, stdout], [2, ''], args.join(' '))
    assert.match(stderr, /^acgs: there is no command `frob` under `acgs[a-z ]*`: there are [a-z]/, args.join(' '))
  }
  assert.match(JSON.parse((await runAcgs(['frob', '--json'])).stdout).error.message, /`frob`/)
})

test('every help has an example: of the whole, of groups, of commands', async () => {
  const asked = [[], ['prove'], ['constitution'], ['ledger'], ['config'], ['generate']]
  for (const { args, status, stdout } of await Promise.all(asked.map(async (args) => ({ args, ...(await runAcgs([...args, '--help'])) })))) {
    assert.equal(status, 0, args.join(' '))
    assert.match(stdout, new RegExp(`Example:\\n  \\S*\\.?/?acgs ${args.length === 0 ? 'generate' : args.join(' ')}`), args.join(' '))
  }
})
