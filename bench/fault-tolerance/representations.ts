import { parsePolicies } from '#adapters/cedar/cedar.ts'
import { Failure } from '#core/failure.ts'
import { assess } from '#core/generate.ts'
import { FAULT_CLASSES } from '#core/injection/faults.ts'
import { NORM_FAULTS } from '#core/injection/norm-faults.ts'
import { assemble } from '#core/policy/assemble.ts'
import { rulesIn } from '#core/policy/norm-sections.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Schema } from '#core/policy/schema.ts'
import { pick, seeded, type Random } from '#core/proof/random-world.ts'
import { representationsOf, type Representations } from '#core/stabilizers/representation.ts'
import { normsOf, type Candidate, type Method, type Reading } from '#core/synthesis/candidate.ts'
import { readControlledEnglish } from '#core/synthesis/controlled-english.ts'
import { readShallowParse } from '#core/synthesis/shallow-parse.ts'
import { decode } from '#core/syndrome/decode.ts'
import { measure } from '#core/syndrome/measure.ts'
import { misreadRate, WEIGHTS } from '#core/syndrome/weights.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { Example, SemanticUnit } from '#core/unit/semantic-unit.ts'
import type { Context } from './context.ts'
import { knownTexts } from './policies.ts'

export type Where = 'norms' | 'reading' | 'decision-table' | 'document' | 'examples'

/** Faults in one representation of a text that the product has read; `blamed`: the decoder blames it, or asks, or finds nothing to explain it. */
export type Detected = { readonly where: Where; readonly fault: string; readonly trials: number; readonly fired: number; readonly notClean: number }

/** The same fault in most candidates, which are independent as far as anybody knows, beside what else the product knows of the text. */
export type Majority = { readonly readers: string; readonly with: string; readonly trials: number; readonly voted_wrong: number; readonly accepted_wrong: number; readonly accepted_right: number; readonly refused: number }

export type RepresentationsMeasured = { readonly texts: number; readonly readers: readonly string[]; readonly rates: { readonly [where in Where]: { readonly rate: number; readonly isMeasured: boolean } }; readonly detected: readonly Detected[]; readonly majority: readonly Majority[] }

type Known = Awaited<ReturnType<typeof knownTexts>>[number]
type Prepared = { readonly known: Known; readonly unit: SemanticUnit; readonly norms: readonly Norm[]; readonly candidates: readonly Candidate[] }

/** So often a fault is drawn until one changes the meaning. */
const ATTEMPTS_MAX = 40

/**
 * Faults in norms, reading, decision table, document and examples of texts that the product's readers really read, with three readers.
 *
 * The third stands in for a language model, which the product does not ship: it is given what the second reader read, under a name of its own.
 *
 * @param instances So many of each fault.
 */
export async function measureRepresentations({ instances, seed }: { readonly instances: number; readonly seed: number }, { examiner, prover }: Context): Promise<RepresentationsMeasured> {
  const random = seeded(seed)
  const prepared: Prepared[] = []
  for (const known of await knownTexts(examiner)) {
    const unit = { ...known.unit, request: { ...known.unit.request, examples: known.examples } }
    const [first, second] = [readControlledEnglish(unit), readShallowParse(unit)]
    if ([...first, ...second].some(({ kind }) => kind === 'unread')) continue
    prepared.push({ known, unit, norms: normsOf(first), candidates: [reader('controlled-english', first, unit.schema), reader('shallow-parse', second, unit.schema), reader('model:stand-in', second, unit.schema)] })
  }
  const isFiring = async (of: Representations) => {
    const measurements = await measure(of, examiner.examining(of.unit.schema))
    return { fired: measurements.some(({ outcome, representations }) => outcome.value === -1 && !representations.includes('constitution')), isClean: decode(measurements, of.candidates).kind === 'clean' }
  }
  const usable: Prepared[] = []
  for (const each of prepared) {
    const { fired, isClean } = await isFiring(representationsOf(each.unit, each.candidates))
    if (!fired && isClean) usable.push(each)
  }
  const differs = async (a: PolicySet, b: PolicySet, schema: Schema) => (await prover.sameMeaning(a, b, schema)).answer.kind === 'refuted'

  const detected: Detected[] = []
  for (const [where, faults] of Object.entries(FAULTS) as unknown as readonly (readonly [Where, readonly Fault[]])[]) {
    for (const { id, inject } of faults) {
      let [trials, fired, notClean] = [0, 0, 0]
      for (let attempt = 0; trials < instances && attempt < instances * ATTEMPTS_MAX; attempt++) {
        const each = usable[attempt % usable.length] as Prepared
        const made = await inject(each, random, differs)
        if (made === null) continue
        const found = await isFiring(made)
        trials++
        if (found.fired) fired++
        if (!found.isClean) notClean++
      }
      detected.push({ where, fault: id, trials, fired, notClean })
    }
  }
  return { texts: usable.length, readers: ['controlled-english', 'shallow-parse', 'model:stand-in (what shallow-parse read)'], rates: ratesOf(), detected, majority: await measureMajority(usable, instances * 4, random, differs, examiner) }
}

/** How often each is wrong by itself, by the decoder's weights: a reading in the worst case that what was counted leaves open. */
function ratesOf(): RepresentationsMeasured['rates'] {
  const { value, high, isMeasured } = misreadRate('controlled-english', WEIGHTS)
  const derived = { rate: WEIGHTS.assumed.representation.value, isMeasured: false }
  return { norms: derived, reading: { rate: high ?? value, isMeasured }, 'decision-table': derived, document: derived, examples: { rate: WEIGHTS.assumed.example.value, isMeasured: false } }
}

type Differs = (a: PolicySet, b: PolicySet, schema: Schema) => Promise<boolean>
type Fault = { readonly id: string; readonly inject: (of: Prepared, random: Random, differs: Differs) => Promise<Representations | null> }

const FAULTS: { readonly [where in Where]: readonly Fault[] } = {
  // The norms alone are wrong, as if they had been changed after they were read.
  norms: NORM_FAULTS.map(({ id, inject }) => ({ id, inject: async (of, random, differs) => {
    const broken = await brokenNorms(of, inject, random, differs)
    const all = representationsOf(of.unit, of.candidates)
    return broken === null || all.norms === null ? null : { ...all, norms: { ...all.norms, readings: readingsOf(of.unit, broken) } }
  } })),
  // The reader of controlled English is wrong, and with it norms, decision table and document, which are made from what it reads.
  reading: NORM_FAULTS.map(({ id, inject }) => ({ id, inject: async (of, random, differs) => {
    const broken = await brokenNorms(of, inject, random, differs)
    return broken === null ? null : representationsOf(of.unit, [reader('controlled-english', readingsOf(of.unit, broken), of.unit.schema), ...of.candidates.slice(1)])
  } })),
  'decision-table': [{ id: 'wrong-row', inject: async (of, random) => {
    const all = representationsOf(of.unit, of.candidates)
    if (all.table === null || all.table.rows.length === 0) return null
    const wrong = pick(random, all.table.rows)
    return { ...all, table: { ...all.table, rows: all.table.rows.map((row) => (row === wrong ? { ...row, decision: row.decision === 'allow' ? 'deny' : 'allow', obligations: [] } : row)) } }
  } }],
  document: [
    ...FAULT_CLASSES.map(({ id, inject }): Fault => ({ id: `rules: ${id}`, inject: async (of, random, differs) => {
      const all = representationsOf(of.unit, of.candidates)
      const rules = inject(of.known.policy.rules, of.unit.schema, random)
      const broken = rules === null ? null : parsed(renderRules(rules), of.unit.schema)
      const shown = all.document === null ? null : rulesIn(all.document)
      if (broken === null || shown === null || all.document === null || !(await differs(broken, of.known.policy, of.unit.schema))) return null
      return { ...all, document: all.document.replace(shown, () => broken.text) }
    } })),
    ...WORD_FAULTS().map(({ id, change }): Fault => ({ id: `words: ${id}`, inject: async (of, random) => {
      const all = representationsOf(of.unit, of.candidates)
      const lines = (all.document ?? '').split('\n')
      const able = [...lines.keys()].filter((i) => /^N\d/.test(lines[i] as string) && change(lines[i] as string) !== lines[i])
      if (able.length === 0) return null
      const at = pick(random, able)
      return { ...all, document: lines.flatMap((line, i) => (i === at ? (change(line) ?? []) : line)).join('\n') }
    } })),
  ],
  examples: [
    { id: 'wrong-decision', inject: async (of, random) => {
      const example = pick(random, of.known.examples)
      return withExample(of, example, { ...example, decision: example.decision === 'allow' ? 'deny' : 'allow' })
    } },
    { id: 'another-request', inject: async (of, random) => {
      const [example, other] = [pick(random, of.known.examples), pick(random, of.known.examples)]
      return example.decision === other.decision ? null : withExample(of, example, { ...example, request: other.request })
    } },
  ],
}

function WORD_FAULTS(): readonly { readonly id: string; readonly change: (line: string) => string | null }[] {
  return [
    { id: 'norm not said', change: () => null },
    { id: 'another number', change: (line) => line.replace(/(?<=\s)\d+/, (digits) => String(Number(digits) + 1)) },
    { id: 'a not is gone', change: (line) => line.replace(' not ', ' ') },
    { id: 'may is must not', change: (line) => line.replace(/ may /i, ' must not ') },
    { id: 'condition not said', change: (line) => line.replace(/,? (?:when|unless|if) .*$/, '.') },
  ]
}

/** Puts the same fault into most of several readers of one text, with what else the product knows of it. */
async function measureMajority(usable: readonly Prepared[], trials: number, random: Random, differs: Differs, examiner: Context['examiner']): Promise<readonly Majority[]> {
  const models = (of: Prepared, broken: readonly Norm[], count: number, isOneLineage: boolean) => Array.from({ length: count }, (_, i): Candidate => ({ ...reader(`model:${i}`, readingsOf(of.unit, broken), of.unit.schema), lineage: isOneLineage ? 'one model' : `model:${i}` }))
  const scenes = [
    { readers: 'three models with the same fault, beside both readers', make: (of: Prepared, broken: readonly Norm[]) => [...of.candidates.slice(0, 2), ...models(of, broken, 3, false)] },
    { readers: 'three with the same fault that are one model, beside both readers', make: (of: Prepared, broken: readonly Norm[]) => [...of.candidates.slice(0, 2), ...models(of, broken, 3, true)] },
    { readers: 'a model and shallow-parse with the same fault, beside controlled-english', make: (of: Prepared, broken: readonly Norm[]) => [of.candidates[0] as Candidate, reader('shallow-parse', readingsOf(of.unit, broken), of.unit.schema), ...models(of, broken, 1, false)] },
    { readers: 'both readers with the same fault, nobody else', make: (of: Prepared, broken: readonly Norm[]) => [reader('controlled-english', readingsOf(of.unit, broken), of.unit.schema), reader('shallow-parse', readingsOf(of.unit, broken), of.unit.schema)] },
  ]
  const counts = scenes.flatMap(({ readers }) => ['candidates alone', 'and the constitution', 'and the constitution, and the author’s examples'].map((known) => ({ readers, with: known, trials: 0, voted_wrong: 0, accepted_wrong: 0, accepted_right: 0, refused: 0 })))
  for (let t = 0; t < trials; t++) {
    const of = usable[t % usable.length] as Prepared
    let broken: readonly Norm[] | null = null
    for (let i = 0; broken === null && i < ATTEMPTS_MAX; i++) broken = await brokenNorms(of, pick(random, NORM_FAULTS).inject, random, differs)
    if (broken === null) continue
    for (const [s, { make }] of scenes.entries()) {
      const candidates = make(of, broken)
      for (const k of [0, 1, 2]) {
        const { request } = of.unit
        const unit = { ...of.unit, request: { ...request, examples: k < 2 ? [] : request.examples, principles: k === 0 ? [] : request.principles } }
        const examining = examiner.examining(unit.schema)
        const { verdict, corrections: [{ policy }] } = await assess({ unit, candidates }, k === 0 ? { ...examining, bound: { bound: [], inapplicable: [] } } : examining)
        const count = counts[s * 3 + k] as { trials: number; voted_wrong: number; accepted_wrong: number; accepted_right: number; refused: number }
        count.trials++
        count.voted_wrong++
        if (verdict.kind !== 'compliant') count.refused++
        else if (await differs(policy, of.known.policy, unit.schema)) count.accepted_wrong++
        else count.accepted_right++
      }
    }
  }
  return counts
}

function reader(method: Method, readings: readonly Reading[], schema: Schema): Candidate {
  return { method, readsText: true, lineage: method, cedar: renderRules(assemble(normsOf(readings), schema)), readings }
}

function readingsOf({ sentences }: SemanticUnit, norms: readonly Norm[]): readonly Reading[] {
  return sentences.map(({ number }): Reading => {
    const own = norms.filter(({ sentence }) => sentence === number)
    return own.length === 0 ? { kind: 'silent', sentence: number } : { kind: 'norms', sentence: number, norms: own }
  })
}

/** Norms with one fault, which are proved to mean something else; null when what was drawn does not. */
async function brokenNorms({ norms, unit, known }: Prepared, inject: (typeof NORM_FAULTS)[number]['inject'], random: Random, differs: Differs): Promise<readonly Norm[] | null> {
  const broken = inject(norms, unit.schema, random)
  const policy = broken === null ? null : parsed(renderRules(assemble(broken, unit.schema)), unit.schema)
  return broken !== null && policy !== null && (await differs(policy, known.policy, unit.schema)) ? broken : null
}

function withExample(of: Prepared, example: Example, made: Example): Representations {
  const unit = { ...of.unit, request: { ...of.unit.request, examples: of.known.examples.map((each) => (each === example ? made : each)) } }
  return representationsOf(unit, of.candidates)
}

function parsed(cedar: string, schema: Schema): PolicySet | null {
  try {
    return parsePolicies(cedar, schema)
  } catch (error) {
    if (error instanceof Failure && error.code === 'POLICY_INVALID') return null
    throw error
  }
}
