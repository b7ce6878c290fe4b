import type { Audience, Authenticate } from './authenticate.ts'
import type { Caller } from './contract.ts'

const CALLERS_MAX = 1_000

/**
 * The same judge of Authorization headers, who knows for a moment whom it has just let in: whoever asks a thousand times a second has its
 * signature verified once in that moment. What was refused is judged anew every time.
 *
 * @param forMs So much longer a token counts than it should, and a withdrawn key with it: keep it below the tolerance for clocks.
 */
export function rememberCallers(authenticate: Authenticate, { forMs = 1_000, now = Date.now }: { forMs?: number; now?: () => number } = {}): Authenticate {
  const known = new Map<string, { readonly caller: Caller; readonly until: number }>()
  const judge = async (header: string | undefined, audience: Audience | undefined, key: string): Promise<Caller> => {
    known.delete(key)
    const caller = await authenticate(header, audience)
    if (known.size >= CALLERS_MAX) known.clear()
    known.set(key, { caller, until: now() + forMs })
    return caller
  }
  return (header, audience) => {
    if (header === undefined) return authenticate(header, audience)
    // INVARIANT: whom a token is meant for is part of what was judged.
    const key = `${audience ?? ''} ${header}`
    const found = known.get(key)
    return found !== undefined && now() < found.until ? found.caller : judge(header, audience, key)
  }
}
