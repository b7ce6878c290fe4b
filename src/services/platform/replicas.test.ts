import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { readConfig } from '#config'
import { createLog } from '#telemetry/log.ts'
import { createMetrics } from '#telemetry/metrics.ts'
import { testDatabase } from '#test/database.ts'
import { watchReplicas } from './replicas.ts'

const signal = new AbortController().signal
function replica(url: string, env: Readonly<Record<string, string>> = {}) {
  const lines: { level: string; msg: string; setting?: string; here?: string; there?: string; replica?: string }[] = []
  const telemetry = {
    log: createLog({ service: 'test', level: 'warn', destination: { write: (line) => void lines.push(JSON.parse(line)) } }),
    metrics: createMetrics({ service: 'test', version: '8', constitutionalHash: '0', description: '' }),
  }
  const replicas = watchReplicas({ url, config: readConfig({ file: null, env, startsNothing: true }), telemetry })
  return { ...replicas, lines, probe: async () => replicas.component.probe(signal) }
}

test('replicas with the same settings are well; one with another threshold is named once in the log and degrades both until it is gone', async () => {
  await using db = await testDatabase()
  await using one = replica(db.url)
  {
    await using same = replica(db.url, { ACGS_GENERATION_ENGINE_WORKERS: '7' })
    await same.refuseOtherLedger()
    assert.deepEqual([await one.probe(), await same.probe(), await one.probe()], Array(3).fill({ status: 'healthy' }))

    await using other = replica(db.url, { ACGS_CONSTITUTIONAL_COMPLIANCE_THRESHOLD: '0.95' })
    await other.refuseOtherLedger()
    const said = (here: string, there: string) => `\`constitutional.compliance_threshold\` is ${here} here and ${there} at another replica on the same database: give all of them the same value, and restart those that are wrong`
    for (let i = 0; i < 2; i++) {
      assert.deepEqual(await one.probe(), { status: 'degraded', detail: said('0.8', '0.95') })
      assert.deepEqual(await other.probe(), { status: 'degraded', detail: said('0.95', '0.8') }, 'of two others the same is said once')
    }
    assert.deepEqual(one.lines.map(({ msg, setting, here, there }) => [msg, setting, here, there]), [[said('0.8', '0.95'), 'constitutional.compliance_threshold', '0.8', '0.95']])
    assert.match(one.lines[0]?.replica ?? '', new RegExp(`:${process.pid}$`))
  }
  for (const until = Date.now() + 10_000; (await one.probe()).status !== 'healthy'; await sleep(20)) assert.ok(Date.now() < until, 'who is gone counts no more')
})

test('another name for the ledger is refused while one that has the first runs, whatever is in the name', async () => {
  await using db = await testDatabase()
  {
    await using one = replica(db.url, { ACGS_AUDIT_CHECKPOINT_ORIGIN: "it's/*a*/ledger\\" })
    await one.refuseOtherLedger()
    await using same = replica(db.url, { ACGS_AUDIT_CHECKPOINT_ORIGIN: "it's/*a*/ledger\\" })
    await same.refuseOtherLedger()
    await using other = replica(db.url, { ACGS_AUDIT_CHECKPOINT_ORIGIN: 'another' })
    await assert.rejects(other.refuseOtherLedger(), { code: 'CONFIG_INVALID', message: /^`audit\.checkpoint_origin` is `another` here and `it's\/\*a\*\/ledger\\` at .+:\d+, which works on the same database, .*: give this one the same, or stop that one first$/ })
  }
})
