import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { runAcgs } from '#test/product.ts'

const SCHEMA = 'entity User { n: Long }; entity Doc; action read appliesTo { principal: User, resource: Doc, context: { k: Long } };'

test('an overflow that the prover finds is an error for the decision point, integers beyond 2^53 included', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-decide-'))
  try {
    const file = (name: string, content: string) => (writeFileSync(join(folder, name), content), join(folder, name))
    const schema = file('s.cedarschema', SCHEMA)
    const policy = file('p.cedar', 'permit(principal, action, resource) when { principal.n + context.k > 0 };')
    const proved = await runAcgs(['prove', 'never-errors', policy, '--schema', schema, '--json'])
    assert.equal(proved.status, 3, proved.stdout + proved.stderr)
    const { counterexample } = JSON.parse(proved.stdout)
    const decided = await runAcgs(['decide', '--policies', policy, '--schema', schema, '--request', file('r.json', JSON.stringify(counterexample)), '--json'])
    assert.equal(decided.status, 3, decided.stdout + decided.stderr)
    assert.equal(JSON.parse(decided.stdout).verdict, 'error')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
