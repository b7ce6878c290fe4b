import type { GenerationRow } from '#adapters/postgres/generations.ts'

/** A row that could be real, for tests of what is done with rows; `n` makes it another one, a minute later. */
export function generationRow(n: number, changed: Partial<GenerationRow> = {}): GenerationRow {
  const id = `gen-${String(n).padStart(6, '0')}`
  return {
    generation_id: id,
    title: `Records ${n}`,
    description: 'Nurses may read charts of their own ward. Ünïcode and "quotes" are kept.',
    policy_content: `# Records ${n}\n`,
    semantic_hash: '93b0c1d2e3f40516',
    stakeholders: ['ward'],
    constitutional_principles: ['privacy'],
    priority: 'medium',
    context: { domain: 'data-protection', figures: [1, 2.5, 1e21, '9007199254740993'], nested: { b: null, a: true } },
    constitutional_compliance_score: 0.1 + 0.2,
    confidence_score: null,
    constitutional_hash: 'cdd01ef066bc6cf2',
    generation_time_ms: 61.25,
    model_consensus_data: { representations_count: 3 },
    recommendations: [],
    user_id: 'author-1',
    verdict: 'certified',
    violated_articles: [],
    certificate_id: `cert-${n}`,
    certificate: { payload: `certificate ${n}` },
    request: { title: `Records ${n}`, text: 'a\\u0000b is text, not the character' },
    evidence: { unit: { sentences: ['Nurses may read charts of their own ward.'] }, number: n },
    created_at: new Date(Date.UTC(2026, 10, 24, 12, n, 0, 7)),
    ...changed,
  }
}

export function refusedRow(n: number, changed: Partial<GenerationRow> = {}): GenerationRow {
  return generationRow(n, { verdict: 'refused', violated_articles: ['privacy.consent'], policy_content: null, certificate_id: null, certificate: null, ...changed })
}
