import assert from 'node:assert/strict'
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { runAcgs } from '#test/product.ts'

test('the configured key signs, as it does in the server, and no other is made', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-generate-'))
  try {
    const { privateKey } = generateKeyPairSync('ed25519')
    writeFileSync(join(folder, 'council.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const env = { ACGS_SECURITY_CERTIFICATE_KEY_FILE: join(folder, 'council.pem'), ACGS_SERVICE_DATA_FOLDER: join(folder, 'data') }
    const generated = await runAcgs(['generate', 'examples/library.json', '--out', join(folder, 'out')], env)
    assert.equal(generated.status, 0, generated.stdout + generated.stderr)
    const { envelope } = JSON.parse(readFileSync(join(folder, 'out', 'certificate.json'), 'utf8'))
    const keyid = createHash('sha256').update(createPublicKey(privateKey).export({ type: 'spki', format: 'der' })).digest('hex')
    assert.equal(envelope.signatures[0].keyid, keyid)
    assert.equal(existsSync(join(folder, 'data', 'keys', 'certificate.pem')), false)
    const verified = await runAcgs(['verify', join(folder, 'out', 'certificate.json')], env)
    assert.equal(verified.status, 0, verified.stdout + verified.stderr)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('what is asked without a server is written down as an example that lacks its decision, and answers as one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-generate-'))
  try {
    const env = { ACGS_SERVICE_DATA_FOLDER: join(folder, 'data') }
    const request = { title: 'Returned books', description: 'Members may borrow books that are not reserved and not damaged or reserved.', context: { schema: readFileSync('examples/library.cedarschema', 'utf8'), examples: [] as unknown[] } }
    const file = join(folder, 'request.json')
    const out = join(folder, 'out')
    const run = (examples: unknown[]) => {
      writeFileSync(file, JSON.stringify({ ...request, context: { ...request.context, examples } }))
      return runAcgs(['generate', file, '--out', out], env)
    }
    const open = await run([])
    assert.equal(open.status, 4, open.stdout + open.stderr)
    assert.match(open.stdout, /to answer it here: .*question\.json is the request that is asked about/)
    // One sentence that is open is one doubt, and what it can mean is said once.
    assert.equal([...open.stdout.matchAll(/\n {2}to settle it: /g)].length, 1, open.stdout)
    assert.match(open.stdout, /^sentence 1 can be understood in several ways, which come to 2 meanings\n {2}to settle it: answer question q_/m)
    assert.equal([...open.stdout.matchAll(/ it can mean “/g)].length, 1, open.stdout)
    const document = readFileSync(join(out, 'document.md'), 'utf8')
    assert.equal([...document.matchAll(/ it can mean “/g)].length, 1)
    const applies = [...document.matchAll(/^- [a-z-]+\.[a-z-]+: (proved|refuted|does not apply)/gm)].map(([, answer]) => answer !== 'does not apply')
    assert.deepEqual([applies[0], applies], [true, applies.toSorted((a, b) => Number(b) - Number(a))], 'what applies comes first')
    const question = JSON.parse(readFileSync(join(out, 'question.json'), 'utf8'))
    const settled = await run([{ ...question, decision: 'deny' }])
    assert.equal(settled.status, 0, settled.stdout + settled.stderr)
    assert.match(settled.stdout, /^1 norm · unread: none/m)
    assert.match(settled.stdout, /^1 of 1 article proved/m)
    assert.equal(existsSync(join(out, 'question.json')), false)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a sentence without which every request is decided alike is named, and so is an example that cannot be decided', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-generate-'))
  try {
    const file = join(folder, 'request.json')
    const run = (description: string, examples: unknown[] = []) => {
      writeFileSync(file, JSON.stringify({ title: 'Borrowing', description, context: { schema: readFileSync('examples/library.cedarschema', 'utf8'), examples } }))
      return runAcgs(['generate', file], { ACGS_SERVICE_DATA_FOLDER: join(folder, 'data') })
    }
    assert.match((await run('Members may borrow books. Members must not borrow books.')).stdout, /^without N1 every request is decided alike: see whether it says what is meant$/m)
    assert.doesNotMatch((await run('Members may only borrow reserved books.')).stdout, /^without/m)
    const example = (action: string) => ({ name: 'the odd one', request: { principal: 'Member::"a"', action, resource: 'Book::"b"' }, entities: [], decision: 'allow' })
    assert.match((await run('Members may borrow reserved books.', [example('Action::"sell"')])).stderr, /“the odd one”: Cedar refuses the request/)
    assert.match((await run('Members may borrow reserved books.', [example('Action::"borrow"')])).stdout, /“the odd one” could not be evaluated: Book::"b".* is missing/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
