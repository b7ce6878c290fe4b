import type { CedarEntity } from '#core/unit/semantic-unit.ts'

/** What decisions are measured on: rules and entities over the schema of `ai-agents`, and questions about payments, each another one. */

const TEAMS = 100
const USERS = 1_000
const ACCOUNTS = 1_000

const user = (i: number) => ({ id: `user${i}`, isAdmin: i % 10 === 0, cleared: i % 2 === 0, team: i % TEAMS })
const account = (i: number) => ({ id: `account${i}`, owner: user(i % USERS), verified: i % 3 !== 0 })
const agent = (i: number) => ({ id: `agent${i}`, owner: user(i % USERS), spendingLimit: i % 500, reviewed: i % 4 !== 0, cleared: i % 5 === 0, team: i % TEAMS })

const ref = (type: string, id: string) => ({ __entity: { type, id } })

export function paymentEntities(agents: number): CedarEntity[] {
  return [
    ...Array.from({ length: TEAMS }, (_, i): CedarEntity => ({ uid: { type: 'Team', id: `team${i}` }, attrs: {}, parents: [] })),
    ...Array.from({ length: USERS }, (_, i): CedarEntity => {
      const { id, isAdmin, cleared, team } = user(i)
      return { uid: { type: 'User', id }, attrs: { isAdmin, cleared }, parents: [{ type: 'Team', id: `team${team}` }] }
    }),
    ...Array.from({ length: ACCOUNTS }, (_, i): CedarEntity => {
      const { id, owner, verified } = account(i)
      return { uid: { type: 'Account', id }, attrs: { owner: ref('User', owner.id), verified }, parents: [] }
    }),
    ...Array.from({ length: agents }, (_, i): CedarEntity => {
      const { id, owner, spendingLimit, reviewed, cleared, team } = agent(i)
      return { uid: { type: 'Agent', id }, attrs: { owner: ref('User', owner.id), spendingLimit, reviewed, cleared }, parents: [{ type: 'Team', id: `team${team}` }] }
    }),
  ]
}

/** Of ten rules: six about payments, of which two look at who owns the agent or the account, and four about other actions. */
export function paymentRules(rules: number): string {
  return Array.from({ length: rules }, (_, i) => [
    `permit(principal is Agent, action == Action::"sendPayment", resource) when { principal.reviewed && context.amount <= principal.spendingLimit && principal in Team::"team${i % TEAMS}" };`,
    `permit(principal is Agent, action == Action::"sendPayment", resource) when { context.humanApproved && context.amount <= ${5_000 + i} };`,
    `forbid(principal is Agent, action == Action::"sendPayment", resource) when { !resource.verified && context.amount > ${i} };`,
    `permit(principal is Agent, action == Action::"sendPayment", resource) when { principal.owner == resource.owner && context.amount < ${100 + i} };`,
    `forbid(principal, action == Action::"sendPayment", resource) when { context.amount > ${10_000 + i} && !context.humanApproved };`,
    `forbid(principal is Agent, action == Action::"sendPayment", resource) when { principal.owner.isAdmin && resource.owner.cleared && context.amount > ${9_000 + i} };`,
    'permit(principal is User, action == Action::"readFile", resource) when { resource.owner == principal };',
    `permit(principal is Agent, action == Action::"readFile", resource) when { !resource.confidential && resource.size < ${1_000 + i} };`,
    'forbid(principal, action == Action::"readFile", resource) when { resource.confidential && !principal.cleared };',
    'permit(principal is User, action == Action::"approvePayment", resource) unless { resource.requestedBy == principal };',
  ][i % 10]).map((rule, i) => `@id("r${i}") ${rule}`).join('\n')
}

/** The same rules as Cerbos says them; attributes come with the request, since it has no store of entities. */
export function paymentRulesOfCerbos(rules: number): readonly CerbosRule[] {
  return Array.from({ length: rules }, (_, i) => [
    cerbosRule('sendPayment', 'ALLOW', 'Agent', `P.attr.reviewed && R.attr.amount <= P.attr.spendingLimit && "team${i % TEAMS}" in P.attr.teams`),
    cerbosRule('sendPayment', 'ALLOW', 'Agent', `R.attr.humanApproved && R.attr.amount <= ${5_000 + i}`),
    cerbosRule('sendPayment', 'DENY', 'Agent', `!R.attr.verified && R.attr.amount > ${i}`),
    cerbosRule('sendPayment', 'ALLOW', 'Agent', `P.attr.owner.id == R.attr.owner.id && R.attr.amount < ${100 + i}`),
    cerbosRule('sendPayment', 'DENY', '*', `R.attr.amount > ${10_000 + i} && !R.attr.humanApproved`),
    cerbosRule('sendPayment', 'DENY', 'Agent', `P.attr.owner.isAdmin && R.attr.owner.cleared && R.attr.amount > ${9_000 + i}`),
    cerbosRule('readFile', 'ALLOW', 'User', 'R.attr.owner.id == P.id'),
    cerbosRule('readFile', 'ALLOW', 'Agent', `!R.attr.confidential && R.attr.size < ${1_000 + i}`),
    cerbosRule('readFile', 'DENY', '*', 'R.attr.confidential && !P.attr.cleared'),
    cerbosRule('approvePayment', 'ALLOW', 'User', 'R.attr.requestedBy != P.id'),
  ][i % 10] as CerbosRule)
}

export type CerbosRule = { readonly actions: readonly string[]; readonly effect: string; readonly roles: readonly string[]; readonly condition: { readonly match: { readonly expr: string } } }

function cerbosRule(action: string, effect: 'ALLOW' | 'DENY', role: string, expr: string): CerbosRule {
  return { actions: [action], effect: `EFFECT_${effect}`, roles: [role], condition: { match: { expr } } }
}

/** One payment, asked about in every way. */
export type Payment = { readonly agent: number; readonly account: number; readonly amount: number; readonly humanApproved: boolean }

export function payment(i: number, agents: number): Payment {
  return { agent: (i * 7) % agents, account: (i * 13) % ACCOUNTS, amount: i % 600, humanApproved: i % 3 === 0 }
}

export function questionOf({ agent, account, amount, humanApproved }: Payment) {
  return { subject: { type: 'Agent', id: `agent${agent}` }, action: { name: 'sendPayment' }, resource: { type: 'Account', id: `account${account}` }, context: { amount, humanApproved } }
}

/** With every attribute of agent and account that a rule reads. */
export function questionWithAttributes(payment: Payment) {
  const question = questionOf(payment)
  const [{ owner, spendingLimit, reviewed, cleared }, of] = [agent(payment.agent), account(payment.account)]
  return {
    ...question,
    subject: { ...question.subject, properties: { owner: { type: 'User', id: owner.id }, spendingLimit, reviewed, cleared } },
    resource: { ...question.resource, properties: { owner: { type: 'User', id: of.owner.id }, verified: of.verified } },
  }
}

/** One agent's payments, as Cerbos is asked: of several questions it takes one principal. */
export function cerbosQuestionOf(payments: readonly Payment[]) {
  const [first] = payments as readonly [Payment]
  const { id, owner, team, ...attr } = agent(first.agent)
  return {
    principal: { id, roles: ['Agent'], attr: { ...attr, teams: [`team${team}`], owner: { id: owner.id, isAdmin: owner.isAdmin } } },
    resources: payments.map(({ account: number, amount, humanApproved }) => {
      const { id, owner: { id: ownerId, cleared }, verified } = account(number)
      return { resource: { kind: 'Account', id, attr: { verified, amount, humanApproved, owner: { id: ownerId, cleared } } }, actions: ['sendPayment'] }
    }),
  }
}
