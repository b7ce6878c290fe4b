import { pick, seeded } from '#core/proof/random-world.ts'

/** A generation to ask for, and how it must end. */
export type Asked = { readonly body: { readonly title: string; readonly description: string; readonly context: { readonly domain: string } }; readonly outcome: 'certified' | 'refused' }

type Form = { readonly domain: string; readonly outcome: Asked['outcome']; readonly text: (n: number, m: number) => string }

/** What people ask for, with two amounts that make every text, and so every policy and every proof, another one. */
const FORMS: readonly Form[] = [
  { domain: 'ai-agents', outcome: 'certified', text: (n, m) => `Agents may send payments if the amount is at most their spending limit and the amount is at most ${n}. Users may send payments if the amount does not exceed ${m}. Agents may delete files only if a human has approved. Cleared agents may read files unless the file is confidential and the size of the file is over ${n}. Every deletion must be logged.` },
  { domain: 'ai-agents', outcome: 'certified', text: (n, m) => `Reviewed agents may send payments of up to ${n} euros if a human has approved. Agents that are not reviewed must not send payments. Users may send payments if the amount does not exceed ${m}.` },
  { domain: 'ai-agents', outcome: 'certified', text: (n, m) => `Agents may query databases if the query is read-only and the number of rows is at most ${n}. Agents must not query production databases if the number of rows is over ${m}. Administrators may query any database.` },
  { domain: 'ai-agents', outcome: 'certified', text: (n, m) => `Agents may read public files. Cleared agents may read files unless the file is confidential and the size of the file is over ${n}. Users may read their own files if the size of the file is at most ${m}.` },
  { domain: 'ai-agents', outcome: 'certified', text: (n, m) => `Users may approve payments unless they requested the payment. Payments of more than ${n} must not be approved by anyone except administrators. Payments of more than ${m} must not be approved by anyone. No one may approve their own payment.` },
  { domain: 'data-protection', outcome: 'certified', text: (n, m) => `Only managers may view customer records with a balance of at least ${n}. Clerks may view customer records whose balance is below ${n}. Clerks may update customer records if the balance is between 1 and ${m}.` },
  { domain: 'data-protection', outcome: 'certified', text: (n, m) => `Analysts may analyze customer records if the declared purpose is the purpose of the record. No one may analyze archived customer records. It is forbidden to analyze customer records whose balance is more than ${n}. Managers may view customer records whose balance is more than ${m}.` },
  { domain: 'ai-agents', outcome: 'refused', text: (n, m) => `Agents may send payments to verified accounts if the amount is at most ${n}. Users may send payments if the amount does not exceed ${m}.` },
  { domain: 'data-protection', outcome: 'refused', text: (n, m) => `Employees may view customer records unless the nationality of the customer is "French" and the balance is over ${n}. Managers may view customer records whose balance is more than ${m}.` },
]

/** The request of that number: the same for the same seed, and unlike that of any other number or seed, so that nothing is answered from memory. */
export function request(seed: number, number: number): Asked {
  const { domain, outcome, text } = pick(seeded(seed * 1_000_003 + number), FORMS)
  // Both amounts together are the number in base 9,000 behind the seed.
  const n = 1_000 + (number % 9_000)
  const m = 10_000 + ((seed % 9_000) * 1_000 + (Math.floor(number / 9_000) % 1_000))
  return { body: { title: `Load ${seed}-${number}`, description: text(n, m), context: { domain } }, outcome }
}
