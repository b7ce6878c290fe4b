import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { createMetrics } from './metrics.ts'
import { scrape } from './scrape.ts'

test('every alert is over a metric that there is', async () => {
  const { text } = await scrape(createMetrics({ service: 's', version: '8.0.0', constitutionalHash: 'cdd01ef066bc6cf2', description: 'test' }), undefined)
  const known = new Set([...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name))
  const { groups } = parse(readFileSync(new URL('../../config/alerts.yaml', import.meta.url), 'utf8')) as { groups: { rules: { alert: string; expr: string }[] }[] }
  const rules = groups.flatMap((group) => group.rules)
  assert.deepEqual(rules.map(({ alert }) => alert), ['ActiveRevisionNoLongerHolds', 'CertificateOfActiveRevisionExpires', 'EnginesDisagree', 'DecisionsAreNotCompared', 'AcceptedRequestWaits', 'GenerationsAreTooMany', 'BackupNotValid', 'BackupNotTried', 'BackupIsOld', 'ClockOrCertificateNeedsCare'])
  for (const { alert, expr } of rules) assert.ok((expr.match(/acgs_\w+/g) ?? []).every((name) => known.has(name)), alert)
})
