import * as engine from '@cedar-policy/cedar-wasm/nodejs'

/**
 * Whether Cedar's engine still answers: a WebAssembly instance that ran out of stack does not, for as long as its process lives. `bounds.ts`
 * keeps texts away that would do that.
 */
export function probeCedar(): { readonly status: 'healthy' } | { readonly status: 'unhealthy'; readonly detail: string } {
  try {
    const answer = engine.isAuthorized({
      principal: { type: 'U', id: 'u' }, action: { type: 'Action', id: 'a' }, resource: { type: 'U', id: 'u' }, context: {}, entities: [],
      policies: { staticPolicies: 'permit(principal, action, resource) when { 1 + 1 == 2 };' },
    })
    if (answer.type === 'success' && answer.response.decision === 'allow') return { status: 'healthy' }
    return { status: 'unhealthy', detail: `Cedar answers ${JSON.stringify(answer).slice(0, 200)} where it must allow: start this process again` }
  } catch (error) {
    return { status: 'unhealthy', detail: `Cedar's engine has broken down (${error instanceof Error ? error.message : String(error)}): start this process again` }
  }
}
