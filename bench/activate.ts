import { startProduct } from '#test/product.ts'
import { summarize, time, type Result } from './measure.ts'

const RUNS = 15
const RULES = 30
const APP = 'ai-agents'

/**
 * From a proposal to the decision point deciding by it, for a set of thirty rules that is another one in every run, so that no proof of it
 * is known: proposed (the proof of the whole), approved, activated (judged again, signed, stored), loaded. Over HTTP, in one process.
 */
export async function run(): Promise<readonly Result[]> {
  await using product = await startProduct({ env: { LOG_LEVEL: 'warn' } })
  const [author, council, service] = await Promise.all(['author', 'council', 'service'].map((role) => product.token(role))) as [string, string, string]
  const send = async (token: string, url: string, body: unknown, headers: { readonly [name: string]: string } = {}) => {
    const response = await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })
    const reply = (await response.json()) as { detail?: string; certificate?: { id: string }; revision: number; digest: string; policy: string; approval_token: string }
    if (!response.ok) throw new Error(`${url} answered ${response.status}: ${reply.detail}`)
    return reply
  }
  const certify = async (title: string, description: string) =>
    (await send(author, `${product.url.platform}/api/v1/generate-policy`, { title, description, context: { domain: APP } })).certificate?.id as string
  const revisions = `${product.url.platform}/api/v1/applications/${APP}/revisions`

  // One rule a sentence; what changes from run to run is the last certificate.
  const stem = await certify('Payments', Array.from({ length: RULES - 1 }, (_, i) => i % 3 === 2 ? `Agents may not send payments if the amount is over ${5_000 + i}.` : `Agents may send payments if a human has approved and the amount is at most ${100 + i}.`).join(' ').concat(' Every payment must be logged.'))
  const last = await Promise.all(Array.from({ length: RUNS + 1 }, (_, i) => certify(`Limit ${i}`, `Agents may send payments if a human has approved and the amount is at most ${1_000 + i}. Every payment must be logged.`)))
  const steps = { propose: [] as number[], activate: [] as number[], load: [] as number[] }
  let before: string | null = null
  const all = await time(RUNS, 1, async (i) => {
    const added = last[i] as string
    const started = performance.now()
    const { revision, digest, policy } = await send(author, revisions, before === null ? { add: [stem, added] } : { replace: [{ certificate: before, by: added }] })
    const proposed = performance.now()
    const rules = policy.match(/^(permit|forbid)/gm)?.length
    if (rules !== RULES) throw new Error(`the set has ${rules} rules, not ${RULES}`)
    const { approval_token } = await send(council, `${product.url.auth}/api/v1/auth/approvals`, { application: APP, revision, digest })
    await send(council, `${revisions}/${revision}/approvals`, { approval_token })
    const approved = performance.now()
    await send(council, `${revisions}/${revision}/activate`, {})
    const activated = performance.now()
    while (!(await decidesBy(product.url.compliance, service, revision)));
    steps.propose.push(proposed - started)
    steps.activate.push(activated - approved)
    steps.load.push(performance.now() - activated)
    before = added
  })
  const figures = (name: string, values: readonly number[]) => summarize(`${RULES} rules, ${name}`, 'ms', values.slice(-RUNS))
  return [
    figures('proposed, approved, activated, deciding', all),
    figures('of which proposed: the whole set proved', steps.propose),
    figures('of which activated: judged again, signed', steps.activate),
    figures('of which until the decision point decides by it', steps.load),
  ]
}

async function decidesBy(compliance: string, token: string, revision: number): Promise<boolean> {
  const response = await fetch(`${compliance}/access/v1/evaluation`, {
    method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'x-acgs-application': APP, 'x-acgs-min-revision': String(revision) },
    body: JSON.stringify({ subject: { type: 'Agent', id: 'alpha' }, action: { name: 'sendPayment' }, resource: { type: 'Account', id: 'supplier' }, context: { amount: 1, humanApproved: false } }),
  })
  await response.text()
  return response.status === 200
}
