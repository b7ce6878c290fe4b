import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runAcgs } from '#test/product.ts'

const folder = mkdtempSync(join(tmpdir(), 'acgs-lint-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}
const schema = file('s.cedarschema', 'entity User { n: Long, m: Long, ok: Bool }; entity Doc; action read, write appliesTo { principal: User, resource: Doc };')
const policy = file('p.cedar', `// The first rule stands below this.
permit (principal, action == Action::"read", resource) when { principal.ok };
@id("never") permit (principal, action, resource) when { principal.ok && !principal.ok };
  @id("twice") permit (principal, action == Action::"read", resource) when { principal.ok && principal.n > 1 };
@id("sum") forbid (principal, action == Action::"write", resource) when { principal.n + principal.m > 3 };
`)

test('every kind of finding has its rule, place and level; what is well is not mentioned', async () => {
  const { status, stdout } = await runAcgs(['lint', policy, '--schema', schema, '--json'], {})
  assert.equal(status, 3)
  const { rules, findings, unknown } = JSON.parse(stdout)
  assert.deepEqual([rules, unknown], [4, []])
  assert.deepEqual(findings.map(({ rule, kind, line, column }: { rule: string; kind: string; line: number; column: number }) => [rule, kind, line, column]), [['never', 'vacuous', 3, 1], ['twice', 'redundant', 4, 3], ['sum', 'failing', 5, 1], ['sum', 'redundant', 5, 1]])
  assert.ok(findings.some(({ kind, counterexample }: { kind: string; counterexample?: object }) => kind === 'failing' && counterexample !== undefined))
  const narrowed = await runAcgs(['lint', policy, '--schema', schema, '--semantics', 'cedar', '--action', 'Action::"write"', '--json'], {})
  assert.equal(narrowed.status, 3)
})

test('as SARIF: a run with its rules, and one result for each finding at its place', async () => {
  const { status, stdout } = await runAcgs(['lint', policy, '--schema', schema, '--format', 'sarif'], {})
  assert.equal(status, 3)
  const { version, runs: [{ tool: { driver }, results }] } = JSON.parse(stdout)
  assert.deepEqual([version, driver.name], ['2.1.0', 'acgs lint'])
  for (const { ruleId, ruleIndex, level, message, locations: [{ physicalLocation: { artifactLocation, region } }] } of results) {
    assert.equal(driver.rules[ruleIndex].id, ruleId)
    assert.ok(['error', 'warning', 'note'].includes(level) && message.text.endsWith('.'))
    assert.equal(artifactLocation.uri, policy)
    assert.ok(region.startLine >= 2 && region.startColumn >= 1)
  }
})

test('a policy in which nothing is found exits 0, and bad input says where', async () => {
  const well = await runAcgs(['lint', file('w.cedar', 'permit (principal, action, resource) when { principal.ok };'), '--schema', schema], {})
  assert.deepEqual([well.status, well.stdout.trim()], [0, 'nothing found in 1 rule'])
  const broken = await runAcgs(['lint', file('b.cedar', 'permit (principal, action, resource);\npermit (principal action, resource);'), '--schema', schema], {})
  assert.deepEqual([broken.status, /b\.cedar:2:19: /.test(broken.stderr)], [2, true], broken.stderr)
  const nobody = await runAcgs(['lint', policy, '--schema', schema, '--principal', 'Nobody'], {})
  assert.deepEqual([nobody.status, /no request environment with principal Nobody: it has User/.test(nobody.stderr)], [2, true], nobody.stderr)
})

test('a policy on standard input has its places too', async () => {
  const { status, stdout } = await runAcgs(['lint', '-', '--schema', schema, '--json'], {}, 'permit (principal, action, resource) when { principal.ok };\n\n  forbid (principal, action, resource) when { false };\n')
  assert.equal(status, 3)
  assert.deepEqual(JSON.parse(stdout).findings.map(({ rule, kind, line, column }: { rule: string; kind: string; line: number; column: number }) => [rule, kind, line, column]), [['policy1', 'vacuous', 3, 3]])
})

test('templates are looked at as the rules that their links make of them, each at the place of its template', async () => {
  const templates = file('t.cedar', 'permit (principal, action, resource);\n@id("own")\n  permit (principal == ?principal, action, resource);\n')
  const links = (args: object) => file('links.json', JSON.stringify([{ template_id: 'own', link_id: 'own-1', args }]))
  const linked = await runAcgs(['lint', templates, '--schema', schema, '--links', links({ '?principal': 'User::"u"' }), '--json'], {})
  assert.deepEqual(JSON.parse(linked.stdout).findings.map(({ rule, kind, line }: { rule: string; kind: string; line: number }) => [rule, kind, line]), [['own-1', 'redundant', 2]], linked.stderr)
  const open = await runAcgs(['lint', templates, '--schema', schema], {})
  assert.deepEqual([open.status, /--links/.test(open.stderr)], [2, true])
  const wrong = await runAcgs(['lint', templates, '--schema', schema, '--links', links({ '?resource': 'User::"u"' })], {})
  assert.equal(wrong.status, 2, wrong.stdout)
})
