import type { BoundArticle } from '#core/constitution/article.ts'
import { CandidateBody, refuseForeign } from '#core/evidence.ts'
import { Failure } from '#core/failure.ts'
import type { Candidate } from '#core/synthesis/candidate.ts'
import type { SemanticUnit } from '#core/unit/semantic-unit.ts'
import type { Call } from '#http/call.ts'
import { postSynthesize } from './contract.ts'

type Propose = (unit: SemanticUnit, bound: readonly BoundArticle[]) => Promise<readonly Candidate[]>

/**
 * Asks Governance Synthesis for candidates, and reads the text here while it is out: the same readers, so the same candidates.
 *
 * What it sends is looked at like any input: a candidate that is not over the unit's sentences counts as an answer that never came.
 *
 * @param isOut Told why, each time that the text is read here.
 */
export function proposeElsewhere({ call, here, isOut }: { call: Call; here: Propose; isOut: (because: string) => void }): Propose {
  return async (unit, bound) => {
    try {
      const { description, explanations, principles } = unit.request
      const { candidates } = await call(postSynthesize, { body: { description, schema: unit.schema.text, explanations: [...explanations], constitutional_principles: [...principles] } })
      const read = candidates.map(({ method, reads_text: readsText, lineage, cedar, readings }) => CandidateBody.parse({ method, readsText, lineage, cedar, readings }))
      refuseForeign(read, unit.sentences, 'reply.candidates')
      return read
    } catch (error) {
      // Any refusal too: the request has passed the same checks here, so what refuses it there is another release.
      isOut(error instanceof Failure ? error.message : 'it answers with candidates of another form')
      return here(unit, bound)
    }
  }
}
