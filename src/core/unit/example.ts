import { canonical, digest } from '#core/canonical.ts'
import { Failure } from '#core/failure.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { CedarEntity, CedarRequest, Example } from './semantic-unit.ts'

/** What the example is called that an answer to a question becomes. */
export function answerName(question: string): string {
  return `answer to ${question}`
}

/** `q_` and 16 hex digits: of a request, its entities and the schema. */
export function questionId(request: CedarRequest, entities: readonly CedarEntity[], schema: Schema): string {
  return `q_${digest({ schema: schema.digest, request, entities }).slice(0, 16)}`
}

/** Whether an example answers a question about this very request: the name alone, which anybody can write, says nothing. */
export function isAnswer({ name, request, entities }: Pick<Example, 'name' | 'request' | 'entities'>, schema: Schema): boolean {
  return name === answerName(questionId(request, entities, schema))
}

/** Whether what was decided is what an example wants: the decision, and of the obligations those that it speaks of. */
export function meets(decided: { readonly decision: 'allow' | 'deny'; readonly obligations: readonly string[] }, { decision, obligations = {} }: Pick<Example, 'decision' | 'obligations'>): boolean {
  if (decided.decision !== decision) return false
  return decision === 'deny' || Object.entries(obligations).every(([name, isDemanded]) => decided.obligations.includes(name) === isDemanded)
}

/**
 * Passes when no two examples want different things of the same request: no policy could do both.
 *
 * @param place Where the examples stand in what was sent.
 * @throws {Failure} `EXAMPLES_CONTRADICT` naming every pair.
 */
export function refuseContradictions(examples: readonly Example[], place: string): void {
  const problems = examples.flatMap((example, i) => {
    const other = examples.slice(0, i).find((each) => situation(each) === situation(example) && contradict(each, example))
    return other === undefined ? [] : [{ place: `${place}[${i}]`, message: `\`${example.name}\` wants ${wanted(example)}, and \`${other.name}\` wants ${wanted(other)} of the same request: take one of them back` }]
  })
  if (problems.length > 0) throw new Failure('EXAMPLES_CONTRADICT', problems.map(({ message }) => message).join('; '), { problems })
}

function contradict(a: Example, b: Example): boolean {
  if (a.decision !== b.decision) return true
  return a.decision === 'allow' && Object.entries(a.obligations ?? {}).some(([name, isDemanded]) => (b.obligations?.[name] ?? isDemanded) !== isDemanded)
}

function wanted({ decision, obligations = {} }: Example): string {
  const said = Object.entries(obligations).map(([name, isDemanded]) => `${isDemanded ? 'with' : 'without'} ${name}`)
  return [decision, ...said].join(' ')
}

/** A request with its entities, however they are ordered. */
function situation({ request, entities }: Example): string {
  const sorted = entities.map((entity) => ({ ...entity, parents: entity.parents.map(canonical).sort() })).map(canonical).sort()
  return canonical([request, sorted])
}
