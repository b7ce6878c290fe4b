import { uidText, type PolicySet } from '#core/policy/policy.ts'
import type { Environment, Schema } from '#core/policy/schema.ts'
import { encodePolicy, placeIn, type EncodedPolicy } from './encode.ts'
import { forCedar } from './exact.ts'
import type { Replay } from './look.ts'
import { evaluate, Terms, type World } from './terms.ts'
import { worldOf, type Scene } from './world.ts'

/** What terms or Cedar say about one request: Cedar's decision, the rules that determined it and the rules that failed, sorted. */
export type Said = { readonly decision: 'allow' | 'deny'; readonly determining: readonly string[]; readonly erring: readonly string[] }

/** One policy in one environment, as terms: to be asked about many worlds. */
export function interpreter(schema: Schema, environment: Environment, policy: PolicySet): (scene: Scene) => Said {
  const encoded = encodePolicy(placeIn(new Terms(), schema, environment), policy.rules, 'cedar')
  return (scene) => interpret(encoded, worldOf(schema, environment, scene))
}

function interpret({ rules, allow }: EncodedPolicy, world: World): Said {
  const isAllowed = evaluate(allow, world) === true
  const ids = (which: 'err' | 'satisfied', effect?: 'permit' | 'forbid') =>
    rules.filter((each) => (effect === undefined || each.rule.effect === effect) && evaluate(each[which], world) === true).map(({ rule }) => rule.id).sort()
  return { decision: isAllowed ? 'allow' : 'deny', determining: ids('satisfied', isAllowed ? 'permit' : 'forbid'), erring: ids('err') }
}

/** What Cedar itself says about the same request. */
export function ask(schema: Schema, environment: Environment, policy: PolicySet, scene: Scene, replay: Replay): Said {
  const { context, entities } = forCedar(schema, environment.action, scene)
  const request = {
    principal: uidText({ type: environment.principal, id: scene.principal }),
    action: environment.action,
    resource: uidText({ type: environment.resource, id: scene.resource }),
    context,
  }
  const { decision, determining, errors } = replay({ policies: policy, schema, request, entities })
  return { decision, determining: [...determining].sort(), erring: errors.map(({ rule }) => rule).sort() }
}
