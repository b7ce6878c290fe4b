import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { Failure } from '#core/failure.ts'
import { malformed } from '#core/json.ts'
import { getGeneration, postAnswers } from '#services/platform/contract.ts'
import { answerOf, askService, asksService, pathOf, type Reply, type ServiceOptions } from './service.ts'
import { EXIT, finish, newCommand, type Answer } from './terminal.ts'

type Options = ServiceOptions & { question?: string; obligation?: string[] }

export function command(): Command {
  return asksService(newCommand('answer', 'what a generation asks its author, and the answers to it; on a terminal, question after question', './acgs answer gen_0b1e… --question q_696cd55815a00de6 deny'))
    .argument('<generation>', 'its id')
    .argument('[decision]', 'allow or deny; without it, what is asked is shown')
    .option('--question <id>', 'which question; without it, the one that would settle the meaning of the text')
    .option('--obligation <name>', 'of the obligations that the question names, one that must be done; may be repeated', (name: string, before: string[] = []) => [...before, name])
    .action(async (generation: string, decision: string | undefined, options: Options) => finish(await run(generation, decision, options), options))
}

type Question = { id: string; words: string; obligations: readonly string[]; norm: string | null; at_most: number | null }

async function run(generation: string, decision: string | undefined, options: Options): Promise<Answer> {
  if (decision !== undefined && decision !== 'allow' && decision !== 'deny') throw malformed([{ place: '[decision]', message: `\`${decision}\` is neither allow nor deny` }])
  const read = await askService({ service: 'platform', method: getGeneration.method, path: pathOf(getGeneration.path, { id: generation }), role: 'author' }, options)
  const { state, verdict, questions } = (read.status === 200 ? read.body : {}) as { state?: string; verdict?: string; questions?: readonly Question[] }
  if (questions === undefined || verdict === undefined) return state === undefined ? answerOf(read, () => '') : { json: read.body, text: `${generation} is ${state}, and asks nothing yet`, exit: EXIT.undetermined }
  const isWatched = process.stdin.isTTY && process.stdout.isTTY && options.json !== true && options.quiet !== true
  if (decision === undefined && !isWatched) return { json: read.body, text: shown(generation, verdict, questions), exit: verdict === 'certified' ? EXIT.yes : verdict === 'refused' ? EXIT.no : EXIT.undetermined }
  if (decision === undefined) return converse(generation, verdict, questions, options)
  const question = options.question ?? questions.find(({ norm }) => norm === null)?.id
  if (question === undefined) {
    throw new Failure('NOT_FOUND', `nothing is open in the meaning of ${generation}: say with --question which question is answered${questions.length === 0 ? ', of which it has none' : `, one of ${questions.map(({ id }) => id).join(', ')}`}`)
  }
  const asked = questions.find(({ id }) => id === question)?.obligations ?? []
  const reply = await send(generation, { question, decision, ...(decision === 'allow' && (asked.length > 0 || options.obligation !== undefined) ? { obligations: options.obligation ?? [] } : {}) }, options)
  return told(reply)
}

function send(generation: string, answer: { question: string; decision: 'allow' | 'deny'; obligations?: readonly string[] }, options: Options): Promise<Reply> {
  return askService({ service: 'platform', method: postAnswers.method, path: pathOf(postAnswers.path, { id: generation }), role: 'author', body: { answers: [answer] } }, options)
}

/** What is asked, without what it is about. */
type Said = Pick<Question, 'id' | 'words' | 'obligations'>
type Told = { generation_id?: string; certificate?: { id: string }; questionnaire?: { state: string; question?: Said; at_most?: number } | null; open_examples?: readonly { norm: string; question: Said }[] }

/** The generation that the answer led to, and its next question. */
function told(reply: Reply): Answer {
  const body = reply.body as Told
  const answer = answerOf(reply, () => [`certified   ${body.generation_id}   certificate ${body.certificate?.id}`, ...examplesLine(body.generation_id ?? '', body.open_examples ?? [])].join('\n'), { 'body.answers[0].obligations': '--obligation', 'body.answers[0].question': '--question' })
  const question = body.questionnaire?.question
  if (reply.status !== 422 || body.generation_id === undefined) return answer
  return { ...answer, text: question === undefined ? `${answer.exit === EXIT.undetermined ? 'undetermined' : 'refused'}   ${body.generation_id}` : asks(body.generation_id, question, body.questionnaire?.at_most ?? null) }
}

function asks(generation: string, { id, words, obligations }: Said, atMost: number | null): string {
  const duties = obligations.length === 0 ? '' : ` [${obligations.map((name) => `--obligation ${name}`).join('] [')}]`
  return [
    `${generation} asks${atMost === null ? '' : atMost === 1 ? ' one question, the last' : ` at most ${atMost} questions, this one first`}:`,
    `  ${words}`,
    `  ./acgs answer ${generation} --question ${id} allow${duties} | deny`,
  ].join('\n')
}

function shown(generation: string, verdict: string, questions: readonly Question[]): string {
  const open = questions.find(({ norm }) => norm === null)
  const examples = questions.flatMap(({ norm, ...question }) => (norm === null ? [] : [{ norm, question }]))
  return [`${verdict}   ${generation}`, ...(open === undefined ? ['nothing is open in its meaning'] : [asks(generation, open, open.at_most)]), ...examplesLine(generation, examples)].join('\n')
}

function examplesLine(generation: string, examples: readonly { norm: string; question: Said }[]): readonly string[] {
  if (examples.length === 0) return []
  return [
    'requests that one norm alone decides, to be confirmed or not:',
    ...examples.map(({ norm, question }) => `  ${norm}  ${question.id}  ${question.words}`),
    `  ./acgs answer ${generation} --question ID allow | deny`,
  ]
}

/** Question after question, until nothing is open any more or the author has had enough. */
async function converse(generation: string, verdict: string, questions: readonly Question[], options: Options): Promise<Answer> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  try {
    let at = generation
    let next: (Said & { at_most: number | null }) | undefined = questions.find(({ norm }) => norm === null)
    let last: Answer = { json: null, text: shown(generation, verdict, questions), exit: verdict === 'certified' ? EXIT.yes : EXIT.undetermined }
    while (next !== undefined) {
      const said = (await terminal.question(`${next.words}\n  allow or deny, or nothing to stop: `)).trim()
      if (said !== 'allow' && said !== 'deny') return { ...last, text: asks(at, next, next.at_most), exit: EXIT.undetermined }
      const duties = said === 'deny' || next.obligations.length === 0 ? null : (await terminal.question(`  of ${next.obligations.join(', ')}, what must be done (separated by commas, nothing for none): `)).split(',').map((name) => name.trim()).filter((name) => name !== '')
      const reply = await send(at, { question: next.id, decision: said, ...(duties === null ? {} : { obligations: duties }) }, options)
      const body = reply.body as Told
      last = told(reply)
      at = body.generation_id ?? at
      next = body.questionnaire?.question === undefined ? undefined : { ...body.questionnaire.question, at_most: body.questionnaire.at_most ?? null }
    }
    return last
  } finally {
    terminal.close()
  }
}
