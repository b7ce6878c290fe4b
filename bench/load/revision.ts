import type { Product } from '#test/product.ts'

/** The application that decides, and what its callers send with each question. */
export type Deciding = { readonly url: string; readonly headers: Readonly<Record<string, string>>; readonly bodies: readonly string[] }

const APP = 'ai-agents'

/** Makes one revision active, by everybody who has to agree, and asks so many different questions of it. */
export async function activateOne({ url, token }: Product, questions: number): Promise<Deciding> {
  const [author, council, service] = (await Promise.all(['author', 'council', 'service'].map(token))) as [string, string, string]
  const send = async (as: string, at: string, body: unknown) => {
    const response = await fetch(at, { method: 'POST', headers: { authorization: `Bearer ${as}`, 'content-type': 'application/json' }, body: JSON.stringify(body) })
    const reply = (await response.json()) as { certificate?: { id: string }; revision: number; digest: string; approval_token: string }
    if (!response.ok) throw new Error(`${at} answered ${response.status}: ${JSON.stringify(reply).slice(0, 300)}`)
    return reply
  }
  const { certificate } = await send(author, `${url.platform}/api/v1/generate-policy`, {
    title: 'Payments', description: 'Agents may send payments if a human has approved and the amount is at most 500. Agents may not send payments if the amount is over 5,000. Every payment must be logged.', context: { domain: APP },
  })
  const revisions = `${url.platform}/api/v1/applications/${APP}/revisions`
  const { revision, digest } = await send(author, revisions, { add: [certificate?.id] })
  const { approval_token } = await send(council, `${url.auth}/api/v1/auth/approvals`, { application: APP, revision, digest })
  await send(council, `${revisions}/${revision}/approvals`, { approval_token })
  await send(council, `${revisions}/${revision}/activate`, {})

  const deciding = {
    url: `${url.compliance}/access/v1/evaluation`,
    headers: { authorization: `Bearer ${service}`, 'x-acgs-application': APP },
    bodies: Array.from({ length: questions }, (_, amount) => JSON.stringify({ subject: { type: 'Agent', id: 'alpha' }, action: { name: 'sendPayment' }, resource: { type: 'Account', id: 'acme' }, context: { amount, humanApproved: amount % 3 > 0 } })),
  }
  const ask = async (i: number) => ((await (await fetch(deciding.url, { method: 'POST', headers: { 'content-type': 'application/json', ...deciding.headers, 'x-acgs-min-revision': String(revision) }, body: deciding.bodies[i] as string })).json()) as { decision?: boolean }).decision
  for (const deadline = Date.now() + 10_000; (await ask(1)) !== true || (await ask(3)) !== false;) {
    if (Date.now() > deadline) throw new Error('the decision point does not decide by the revision')
  }
  return deciding
}
