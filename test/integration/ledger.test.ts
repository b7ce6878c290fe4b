import assert from 'node:assert/strict'
import { chownSync, cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before } from 'node:test'
import { keysIn, keySetFile, publicKeysIn } from '#adapters/keys/certificate-key.ts'
import { openCheckpoint } from '#core/ledger/checkpoint.ts'
import { leafHash, verifyConsistency, verifyInclusion } from '#core/ledger/merkle.ts'
import { runAcgs, startProduct, type Product } from '#test/product.ts'

const CLINIC = readFileSync(new URL('../../examples/clinic.json', import.meta.url), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'acgs-ledger-product-'))
const bytes = (hash: string) => Buffer.from(hash, 'hex')
let product: Product
/** The database as it was after the first generation, cleanly stopped. */
const backup = join(folder, 'backup')
/** By issuer and role: after a restart on other ports another Auth issues them. */
const tokens = new Map<string, string>()

/** A busy machine must not make an article undecided here. */
const env = { ACGS_GENERATION_ENGINE_PROOF_TIMEOUT_MS: '120000' }

async function ask(path: string, role: string, body?: string): Promise<{ status: number; body: any }> {
  const key = `${product.url.auth} ${role}`
  const token = tokens.get(key) ?? (await product.token(role))
  tokens.set(key, token)
  const response = await fetch(`${product.url.platform}${path}`, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { method: 'POST', body }),
  })
  return { status: response.status, body: await response.json() }
}

before(async () => {
  const dataFolder = join(folder, 'data')
  product = await startProduct({ dataFolder, env })
  assert.equal((await ask('/api/v1/generate-policy', 'author', CLINIC)).status, 200)
  assert.equal(await product.kill('SIGTERM'), 0)
  cpSync(join(dataFolder, 'postgres'), backup, { recursive: true, preserveTimestamps: true })
  product = await startProduct({ dataFolder, env })
})
after(async () => {
  await product[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

test('a certificate is proved to be in the ledger that was signed, checked with nothing but what was published', async () => {
  const earlier = (await ask('/api/v1/ledger/checkpoint', 'operator')).body
  const { status: certified, body: made } = await ask('/api/v1/generate-policy', 'author', CLINIC)
  assert.equal(certified, 200, JSON.stringify(made))
  const { status, body: proved } = await ask(`/api/v1/ledger/proof/${made.certificate.id}`, 'operator')
  assert.equal(status, 200, JSON.stringify(proved))
  const keys = publicKeysIn(keySetFile(keysIn(product.dataFolder)))
  const signed = openCheckpoint(proved.checkpoint.note, keys, 'acgs-pgp-v8')
  const [{ index, entry, proof }] = proved.entries
  assert.ok(index >= earlier.size && signed.size > index)
  assert.ok(JSON.parse(entry).subject.certificate === made.certificate.id)
  const claim = { leaf: leafHash(entry), index, size: signed.size, root: bytes(signed.root), proof: proof.map(bytes) }
  assert.ok(verifyInclusion(claim))
  assert.ok(!verifyInclusion({ ...claim, leaf: leafHash(entry.replace('certified', 'refused')) }))
  const { body: grown } = await ask(`/api/v1/ledger/consistency?from=${earlier.size}&to=${signed.size}`, 'council')
  assert.ok(verifyConsistency({ before: { size: earlier.size, root: bytes(earlier.root) }, after: { size: signed.size, root: bytes(signed.root) }, proof: grown.proof.map(bytes) }))
  const all = (await ask('/api/v1/ledger/entries?limit=200', 'operator')).body
  assert.deepEqual([all.size, all.next, all.entries.length, all.entries[index].entry], [signed.size, null, signed.size, entry])
  const ofOneKind = (await ask('/api/v1/ledger/entries?kind=generation.certified&limit=1', 'operator')).body
  assert.deepEqual([ofOneKind.entries.length, ofOneKind.next], [1, index])
})

test('what cannot be proved, and bad input, are answered as such', async () => {
  const ending = async (path: string) => {
    const { status, body } = await ask(`/api/v1/ledger/${path}`, 'operator')
    return `${status} ${body.code}`
  }
  for (const path of ['proof/nobody', 'proof/99999', 'proof/0?size=99999', 'proof/3?size=2', 'proof/0?size=0', 'consistency?from=0&to=99999']) assert.equal(await ending(path), '404 NOT_FOUND', path)
  for (const path of ['proof/0?size=-1', 'proof/0?size=x', 'consistency', 'consistency?from=3&to=2', 'entries?limit=201', 'entries?limit=0', 'entries?from=-1', 'entries?of=x', 'entries?kind=bogus', 'entries?kind=', `proof/${'9'.repeat(201)}`]) {
    assert.equal(await ending(path), '400 REQUEST_MALFORMED', path)
  }
})

test('on the command line: the checkpoint as others read it, and proofs that are verified as they are printed', async () => {
  const { status, stdout, stderr } = await product.acgs('ledger', 'checkpoint')
  assert.equal(status, 0, stderr)
  assert.equal(stdout, readFileSync(join(product.dataFolder, 'ledger', 'checkpoint'), 'utf8'))
  const { verifier_keys: [key], size } = JSON.parse((await product.acgs('ledger', 'checkpoint', '--json')).stdout)
  assert.match(key, /^acgs-pgp-v8\+[0-9a-f]{8}\+/)
  const proof = await product.acgs('ledger', 'proof', '0', '--json')
  const printed = JSON.parse(proof.stdout)
  assert.deepEqual([proof.status, printed.valid, printed.size, printed.entries.length], [0, true, size, 1])
  const people = await product.acgs('ledger', 'proof', 'data-protection')
  assert.equal(people.status, 0, people.stderr)
  assert.match(people.stdout, /^entry \d+ \(entities\.changed.*is in the ledger$.*signed as acgs-pgp-v8$/ms)
  assert.equal((await product.acgs('ledger', 'proof', '0', '--size', '1')).status, 4) // no checkpoint was signed for one entry
  for (const args of [['proof', 'nobody'], ['proof'], ['proof', '0', '--size', 'x'], ['proof', '0', '--size', '9999']]) assert.equal((await product.acgs('ledger', ...args)).status, 2, args.join(' '))
  const elsewhere = await runAcgs(['ledger', 'checkpoint', '--trust', join(folder, 'none.json')], product.env)
  assert.deepEqual([elsewhere.status, elsewhere.stdout], [2, ''])
  const kept = join(folder, 'earlier')
  writeFileSync(kept, stdout)
  const begins = await product.acgs('ledger', 'consistency', kept, '--json')
  assert.deepEqual([begins.status, JSON.parse(begins.stdout).valid], [0, true], begins.stderr)
  assert.equal((await product.acgs('ledger', 'consistency', '2')).status, 0)
  for (const args of [['99999'], ['nofile'], ['2', '--size', '1']]) assert.equal((await product.acgs('ledger', 'consistency', ...args)).status, 2, args.join(' '))
})

test('a database put back to an earlier state is found at the start and by verify; nothing more is recorded, the rest goes on', async () => {
  assert.equal((await ask('/api/v1/generate-policy', 'author', CLINIC)).status, 200)
  const kept = join(folder, 'kept')
  writeFileSync(kept, (await product.acgs('ledger', 'checkpoint')).stdout)
  assert.equal(await product.kill('SIGTERM'), 0)
  // The second line of a note: what the last one, signed at the end, is for.
  const size = Number(readFileSync(join(product.dataFolder, 'ledger', 'checkpoint'), 'utf8').split('\n')[1])
  const postgres = join(product.dataFolder, 'postgres')
  renameSync(postgres, join(folder, 'newer'))
  cpSync(backup, postgres, { recursive: true, preserveTimestamps: true })
  // The copy is ours; PostgreSQL's own user must own it, as it did.
  owned(join(folder, 'newer'), postgres)

  const found = await runAcgs(['ledger', 'verify', '--json', '--data', product.dataFolder])
  assert.equal(found.status, 3, found.stdout + found.stderr)
  const report = JSON.parse(found.stdout)
  assert.ok(report.problems.some(({ from, to, message }: { from: number; to: number; message: string }) => from === report.entries && to === size - 1 && /old backup/.test(message)), found.stdout)
  assert.equal((await runAcgs(['ledger', 'verify', '--checkpoint', kept, '--data', product.dataFolder])).status, 3)
  assert.equal((await runAcgs(['ledger', 'checkpoint', '--data', product.dataFolder])).status, 3)

  product = await startProduct({ dataFolder: product.dataFolder, env })
  const health = (await (await fetch(`${product.url.platform}/health`)).json()) as any
  assert.equal(health.status, 'degraded')
  assert.match(health.components.ledger.detail, /old backup was restored/)
  const status = (await (await fetch(`${product.url.platform}/api/v1/status`)).json()) as any
  assert.deepEqual([status.overall_status, status.ledger.status], ['degraded', 'degraded'])
  const refused = await ask('/api/v1/generate-policy', 'author', CLINIC)
  assert.deepEqual([refused.status, refused.body.code], [500, 'LEDGER_CORRUPT'], JSON.stringify(refused.body))
  assert.equal((await ask('/api/v1/generations', 'operator')).body.generations.length, 1)

  // With the newer database back, everything goes on.
  assert.equal(await product.kill('SIGTERM'), 0)
  rmSync(postgres, { recursive: true })
  renameSync(join(folder, 'newer'), postgres)
  product = await startProduct({ dataFolder: product.dataFolder, env })
  assert.equal((await ask('/api/v1/generate-policy', 'author', CLINIC)).status, 200)
  const well = await product.acgs('ledger', 'verify')
  assert.equal(well.status, 0, well.stdout)
  // Stopped, for while it runs it signs anew and writes what was removed.
  assert.equal(await product.kill('SIGTERM'), 0)
  rmSync(join(product.dataFolder, 'ledger'), { recursive: true })
  rmSync(join(product.dataFolder, 'decision-point'), { recursive: true })
  const removed = await runAcgs(['ledger', 'verify', '--data', product.dataFolder])
  assert.equal(removed.status, 3)
  assert.match(removed.stdout, /it was removed/)
})

/** Gives a copied folder the owner of another. */
function owned(like: string, folder: string): void {
  const { uid, gid } = statSync(like)
  chownSync(folder, uid, gid)
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) chownSync(join(entry.parentPath, entry.name), uid, gid)
}
