import type { Command } from 'commander'
import { getOracle, postRelease } from '#services/compliance/oracle-contract.ts'
import { malformed } from '#core/json.ts'
import { answerOf, asksService, askService, pathOf, type ServiceOptions } from './service.ts'
import { EXIT, finish, newCommand, newGroup } from './terminal.ts'

type Slow = { readonly application: string; readonly revision: number; readonly since: string; readonly fixture: string | null; readonly differences: readonly string[]; readonly decides?: boolean }
type Status = { readonly per_second: number; readonly compared: { readonly [result in 'agreed' | 'disagreed' | 'not_compared']: number }; readonly slow: readonly Slow[] }

export function command(): Command {
  const status = asksService(newCommand('status', 'how many decisions Cedar’s own engine has repeated, and by which revisions it decides since it did not agree', './acgs oracle status'))
    .action(async (options: ServiceOptions) => {
      const reply = await askService({ service: 'compliance', method: getOracle.method, path: getOracle.path, role: 'operator' }, options)
      const answer = answerOf(reply, summary)
      finish(reply.status === 200 && (reply.body as Status).slow.some(({ decides }) => decides) ? { ...answer, exit: EXIT.no } : answer, options)
    })
  const release = asksService(newCommand('release', 'let the evaluator decide again by a revision that is on the slow path', './acgs oracle release data-protection 3'))
    .argument('<app>', 'of which application')
    .argument('<n>', 'the number of the revision')
    .action(async (app: string, n: string, options: ServiceOptions) => {
      if (!/^[1-9]\d{0,8}$/.test(n)) throw malformed([{ place: '<n>', message: `\`${n}\` is not the number of a revision: ./acgs oracle status shows which are on the slow path` }])
      const reply = await askService({ service: 'compliance', method: postRelease.method, path: pathOf(postRelease.path, { app }), role: 'operator', body: { revision: Number(n) } }, options)
      finish(answerOf(reply, () => `revision ${n} of ${app} is decided by the evaluator again; the next disagreement takes it back`, { 'params.app': '<app>', 'body.revision': '<n>' }), options)
    })
  return newGroup('oracle', 'Cedar’s own engine beside the decision point: what it repeated, and what it decides since it did not agree', './acgs oracle status').addCommand(status).addCommand(release)
}

function summary({ per_second, compared: { agreed, disagreed, not_compared }, slow }: Status): string {
  const rate = per_second === 0 ? 'no decision is repeated: decisions.oracle_per_second is 0' : `at most ${per_second} decisions a second are repeated`
  const lines = slow.flatMap(({ application, revision, since, fixture, differences, decides }) => [
    `revision ${revision} of ${application} is on the slow path since ${since}${decides ? '' : ' (another revision decides now)'}`,
    ...differences.map((each) => `  ${each}`),
    fixture === null ? '  the question could not be written out' : `  ./acgs decide --request ${fixture} --semantics cedar`,
  ])
  return [`${rate}; since the start ${agreed} agreed, ${disagreed} disagreed, ${not_compared} were not compared`, ...lines].join('\n')
}
