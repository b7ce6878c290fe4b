import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { authorize, parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { assemble } from '#core/policy/assemble.ts'
import { renderRules } from '#core/policy/render.ts'
import type { Reader } from '#core/synthesis/candidate.ts'
import { readControlledEnglish } from '#core/synthesis/controlled-english.ts'
import { readShallowParse } from '#core/synthesis/shallow-parse.ts'
import type { Norm } from '#core/unit/norm.ts'
import type { CedarEntity, SemanticUnit } from '#core/unit/semantic-unit.ts'

type Expectation = { readonly principal: string; readonly action: string; readonly resource: string; readonly context?: { readonly [name: string]: unknown }; readonly over?: 'everything'; readonly decision: 'allow' | 'deny' }
type Corpus = { readonly schema: readonly string[]; readonly entities: readonly CedarEntity[]; readonly sentences: readonly { readonly text: string; readonly want: 'read' | 'unread' | 'either'; readonly because?: string; readonly decide?: readonly Expectation[] }[] }

/** What one reader made of one sentence of a corpus, and the rules that it made; `wrong` says what of it a careful person does not mean. */
export type ReadSentence = { readonly corpus: string; readonly text: string; readonly method: string; readonly outcome: 'right' | 'wrong' | 'unread'; readonly cedar: string; readonly wrong: string | null }

const READERS: readonly (readonly [string, Reader])[] = [['controlled-english', readControlledEnglish], ['shallow-parse', readShallowParse]]

/**
 * Has both readers read every sentence of the corpora in `test/cases/read`, and compares what Cedar decides with what is written there.
 *
 * A sentence that must stay unread, because it leaves a meaning open, is read wrongly by whoever reads it.
 */
export function readCorpora(pattern = 'test/cases/read/*.json'): readonly ReadSentence[] {
  return globSync(pattern).sort().flatMap((path) => {
    const { schema: lines, entities, sentences } = JSON.parse(readFileSync(path, 'utf8')) as Corpus
    const schema = parseSchema(lines.join('\n'))
    return sentences.flatMap(({ text, want, because, decide = [] }) => READERS.map(([method, read]): ReadSentence => {
      const unit: SemanticUnit = {
        id: 'unit', schema, sentences: [{ number: 1, text, start: 0, end: text.length, mayRule: true, isExplanation: false }],
        request: { title: 'Corpus', description: text, stakeholders: [], principles: [], priority: 'medium', examples: [], explanations: [], complianceThreshold: 0.8, consensusRequired: false, multiModelValidation: false },
      }
      const shared = { corpus: basename(path, '.json'), text, method }
      const [reading] = read(unit)
      if (reading?.kind !== 'norms') return { ...shared, outcome: 'unread', cedar: '', wrong: null }
      const { norms } = reading
      const cedarOver = (over: readonly Norm[]) => renderRules(assemble([...over, ...norms], schema))
      const cedar = cedarOver([])
      if (want === 'unread') return { ...shared, outcome: 'wrong', cedar, wrong: because ?? 'it must not be read' }
      const other = decide.find(({ principal, action, resource, context = {}, over, decision }) => authorize({ policies: parsePolicies(over === undefined ? cedar : cedarOver([EVERYTHING]), schema), schema, request: { principal, action, resource, context }, entities }).decision !== decision)
      return other === undefined ? { ...shared, outcome: 'right', cedar, wrong: null } : { ...shared, outcome: 'wrong', cedar, wrong: `${other.principal} ${other.action} ${other.resource}${other.context === undefined ? '' : ` ${JSON.stringify(other.context)}`}${other.over === undefined ? '' : ', over a rule that permits everything'}: a careful person wants ${other.decision}` }
    }))
  })
}

const EVERYTHING: Norm = { id: 'everything', sentence: 0, source: '', modality: 'permit', principals: [], actions: [], resources: [], when: null, unless: null, obligation: null }
