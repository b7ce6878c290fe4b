import assert from 'node:assert/strict'
import { setImmediate as othersDecide } from 'node:timers/promises'
import type { Decides } from '#core/decision/answer.ts'
import { compileRules } from '#core/decision/dense/dense-evaluator.ts'
import { EntityStore } from '#core/decision/entity-store.ts'
import type { ActiveRevision } from '#core/revision/active.ts'

/** What decides, by application: its active revision and its entities. Whoever loads bundles and entities fills it. */
export type DecisionPoint = {
  /** The names of the applications that something is known of, sorted. */
  readonly applications: () => readonly string[]
  /** Null when nothing decides: everything is denied then. */
  readonly activeOf: (application: string) => ActiveRevision | null
  /** Empty when nothing is known. */
  readonly entitiesOf: (application: string) => EntityStore
  /** Makes an application known, though nothing decides for it yet. */
  readonly know: (application: string) => void
  /** What decides by a revision that was loaded: its rules, compiled. */
  readonly decidesFor: (active: ActiveRevision) => Decides
  /** Replaces what decides for the revision's application, as a whole, once its rules are compiled. Every check has been passed by then. */
  readonly load: (active: ActiveRevision) => Promise<void>
}

/** A decision point with nothing in it, so that there is no application to ask about. */
export function createDecisionPoint(): DecisionPoint {
  type Known = { active: ActiveRevision | null; readonly entities: EntityStore }
  const known = new Map<string, Known>()
  let names: readonly string[] = []
  const compiled = new WeakMap<ActiveRevision, Decides>()
  const of = (application: string): Known => {
    const found = known.get(application)
    if (found !== undefined) return found
    const made = { active: null, entities: new EntityStore() }
    known.set(application, made)
    names = [...known.keys()].sort()
    return made
  }
  return {
    applications: () => names,
    activeOf: (application) => known.get(application)?.active ?? null,
    entitiesOf: (application) => known.get(application)?.entities ?? new EntityStore(),
    know: (application) => { of(application) },
    decidesFor: (active) => compiled.get(active) ?? assert.fail(`revision ${active.revision} of ${active.application} was not loaded`),
    load: async (active) => {
      const one = of(active.application)
      compiled.set(active, await compileRules(active.policies.rules, active.schema, one.entities, othersDecide))
      one.active = active
    },
  }
}
