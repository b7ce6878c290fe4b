import type { Audience, Authenticate } from './authenticate.ts'
import type { Caller } from './contract.ts'

const CALLERS_MAX = 1_000

/** Who was let in, and until when that counts. */
type Known = { readonly caller: Caller; readonly until: number }

/**
 * The same judge of Authorization headers, who knows for a moment whom it has just let in: whoever asks a thousand times a second has its
 * signature verified once in that moment. What was refused is judged anew every time.
 *
 * @param forMs So much longer a token counts than it should, and a withdrawn key with it: keep it below the tolerance for clocks.
 */
export function rememberCallers(authenticate: Authenticate, { forMs = 1_000, now = Date.now }: { forMs?: number; now?: () => number } = {}): Authenticate {
  const known = new Map<string, Known>()
  // Finding a token among others takes a hash of all its characters. It is compared with what the same connection sent before and with nobody else's.
  const before = new WeakMap<object, { readonly header: string; readonly audience: Audience | undefined; readonly known: Known }>()
  const judge = async (header: string | undefined, audience: Audience | undefined, key: string): Promise<Caller> => {
    known.delete(key)
    const caller = await authenticate(header, audience)
    if (known.size >= CALLERS_MAX) known.clear()
    known.set(key, { caller, until: now() + forMs })
    return caller
  }
  return (header, audience, connection) => {
    if (header === undefined) return authenticate(header, audience)
    const last = connection === undefined ? undefined : before.get(connection)
    if (last !== undefined && last.header === header && last.audience === audience && now() < last.known.until) return last.known.caller
    // INVARIANT: whom a token is meant for is part of what was judged.
    const key = `${audience ?? ''} ${header}`
    const found = known.get(key)
    if (found === undefined || now() >= found.until) return judge(header, audience, key)
    if (connection !== undefined) before.set(connection, { header, audience, known: found })
    return found.caller
  }
}
