import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url))

function inject(policies: string, ...args: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-inject-'))
  const [policyFile, schemaFile] = [join(folder, 'p.cedar'), join(folder, 's.cedarschema')]
  writeFileSync(policyFile, policies)
  writeFileSync(schemaFile, 'entity User { n: Long }; entity Doc; action view, edit appliesTo { principal: User, resource: Doc };')
  return spawnSync(process.execPath, [MAIN, 'inject', '--policies', policyFile, '--schema', schemaFile, ...args], { encoding: 'utf8' })
}
const POLICIES = 'permit(principal, action == Action::"view", resource) when { principal.n > 5 };\npermit(principal, action == Action::"edit", resource) when { principal.n == 7 };'

test('inject counts what became of broken candidates, with intervals, beside voting', () => {
  const { status, stdout, stderr } = inject(POLICIES, '--trials', '6', '--json')
  assert.equal(status, 0, stderr)
  const { trials, detected, located, corrected, false_accepts, refused, voting, by_class, intervals, not_possible } = JSON.parse(stdout)
  assert.deepEqual({ trials, detected, located, corrected, false_accepts, refused }, { trials: 6, detected: 6, located: 6, corrected: 6, false_accepts: 0, refused: 0 })
  assert.equal(voting.corrected, 6)
  assert.ok(intervals.detected.low > 0.5 && intervals.detected.high === 1)
  assert.equal(Object.values(by_class as { [id: string]: { trials: number } }).reduce((sum, each) => sum + each.trials, 0), 6)
  assert.ok((not_possible as string[]).every((id) => id in by_class))
})

test('inject says how far confidence kept its word, in ten bins', () => {
  const { stdout } = inject(POLICIES, '--trials', '8', '--fault-rate', '0.3', '--json')
  const { reliability: { answers, bins, brier, expected_calibration_error: error, misread, counted, without_confidence: without } } = JSON.parse(stdout)
  assert.ok(answers + without <= 4 && counted.trials === 4)
  assert.equal((bins as { answers: number }[]).reduce((sum, each) => sum + each.answers, 0), answers)
  assert.ok(bins.length === 10 && brier >= 0 && brier <= 1 && error >= 0 && error <= 1 && misread > 0 && misread < 1)
})

test('of faults that nobody made there is no share', () => {
  const { status, stdout } = inject(POLICIES, '--trials', '2', '--faulty', '0')
  assert.equal(status, 0)
  assert.match(stdout, /^detected +no trial had a fault$/m)
  assert.match(stdout, /^refused +0\.0 % \(0\.0 to 84\.2\)$/m)
})

test('templates are broken as the rules that their links make of them', () => {
  const links = join(mkdtempSync(join(tmpdir(), 'acgs-inject-')), 'links.json')
  writeFileSync(links, JSON.stringify([{ template_id: 'own', link_id: 'own-1', args: { '?principal': 'User::"u"' } }]))
  const template = '@id("own") permit(principal == ?principal, action == Action::"view", resource);'
  const { status, stdout, stderr } = inject(template, '--links', links, '--trials', '2', '--fault', 'swapped-entity', '--json')
  assert.equal(status, 0, stderr)
  assert.deepEqual([JSON.parse(stdout).trials, JSON.parse(stdout).corrected], [2, 2])
  const open = inject(template, '--trials', '2')
  assert.equal(open.status, 2)
  assert.match(open.stderr, /--links/)
})

test('what is known of the candidates decides what the same fault in most of them comes to, and is said', () => {
  const alike = (...known: readonly string[]) => inject(POLICIES, '--trials', '2', '--faulty', '2', '--correlated', ...known)
  const counted = (...known: readonly string[]) => { const { known: said, refused, false_accepts: wrong } = JSON.parse(alike(...known, '--json').stdout); return [said, refused, wrong] }
  assert.deepEqual(counted(), ['independent', 0, 2])
  assert.deepEqual(counted('--known', 'uncompared'), ['uncompared', 2, 0])
  assert.deepEqual(counted('--known', 'one-source'), ['one-source', 2, 0])
  assert.match(alike('--known', 'uncompared').stdout, /^known +nothing: nobody has compared the candidates/m)
  // One from one source is as any other; of what nobody has compared nothing is corrected.
  const one = (known: string) => JSON.parse(inject(POLICIES, '--trials', '2', '--known', known, '--json').stdout).corrected
  assert.deepEqual(['one-source', 'uncompared'].map(one), [2, 0])
})

test('a false accept is a no, and said', () => {
  const { status, stdout } = inject(POLICIES, '--trials', '2', '--faulty', '2', '--correlated', '--fault', 'wrong-effect')
  assert.equal(status, 3)
  assert.match(stdout, /falsely accepted +100\.0 %/)
})

test('what cannot be tried is refused with the remedy', () => {
  for (const [args, message, policies = POLICIES] of [
    [['--faulty', '4'], /--faulty 4 is more than the 3 candidates/], [['--fault-rate', '1.5'], /from 0 to 1/], [['--candidates', '0'], /from 1 to 7/], [['--fault', 'nonsense'], /Allowed choices/i], [['--known', 'nonsense'], /Allowed choices are one-source, uncompared, independent/],
    [['--faulty', '1', '--fault-rate', '0.1'], /cannot be used with/], [[], /has no rules/, ''], [['--fault', 'lost-obligation'], /nothing in .* can be broken/],
  ] as const) {
    const { status, stderr } = inject(policies, ...args)
    assert.equal(status, 2, stderr)
    assert.match(stderr, message)
  }
})

test('one broken candidate has nothing in common with another, and that is said', () => {
  assert.match(inject(POLICIES, '--trials', '1', '--correlated').stdout, /^1 trial, 1 of them with a fault[^]*--correlated needs --faulty 2 or more, or --fault-rate$/m)
  assert.doesNotMatch(inject(POLICIES, '--trials', '1', '--correlated', '--faulty', '2').stdout, /--correlated needs/)
})
