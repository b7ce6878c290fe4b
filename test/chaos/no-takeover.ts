import type { Sabotage } from '#test/sabotage.ts'

/** Nobody takes what somebody held who has died: what must be noticed. */
export const NO_TAKEOVER: Sabotage = { file: 'generation-requests.ts', from: `where state = 'accepted' and held_until <= now() and`, to: `where state = 'accepted' and held_by is null and held_until <= now() and` }
