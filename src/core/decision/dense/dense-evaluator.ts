import type { Uid } from '#core/policy/expression.ts'
import type { Rule } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import { uidText } from '#core/policy/policy.ts'
import type { Decision } from '../decide.ts'
import { Evaluator } from '../evaluator.ts'
import { Situation } from '../situation.ts'
import { EntityValue, RecordValue } from '../value.ts'
import { CompiledEnvironment, splitRule, type SplitRule } from './compiled-environment.ts'
import type { Dependent, LiveEntities, TypeTable } from './live-entities.ts'
import { Numbered } from './numbered.ts'
import { fitsType, isSure, Recording, type SideRows } from './side.ts'

/** A request whose uids need not be values yet. */
export type Question = { readonly principal: Uid; readonly action: Uid; readonly resource: Uid; readonly context: RecordValue }

/** Of one action: by the indexes of the types; null: left to the general evaluator. */
type ActionEnvironments = { readonly type: string; readonly environments: (CompiledEnvironment | null)[][] }

/** Combinations of action and types that are compiled; those beyond are decided by the general evaluator. */
const ENVIRONMENTS_MAX = 4_096
/** Of side numbers, each with its own range of rows. */
const ROWS_MAX = 2 ** 26

/**
 * Rules over entities that change, compiled for speed. It decides exactly as {@link Evaluator.decide} does: whatever is not seen to be free of
 * errors, with everything there that is read, is decided by that one.
 *
 * What rules ask of one entity alone is worked out when a decision first needs it, and dropped when that entity, or another that was read for it, changes.
 */
export class DenseEvaluator implements Dependent {
  readonly general: Evaluator
  readonly #entities: LiveEntities
  readonly #schema: Schema | null
  readonly #rules: readonly SplitRule[]
  /** Actions that a rule names. */
  readonly #named: ReadonlySet<string>
  /** By id: the index in the list of those that have it, which are of different types. */
  #actionIds = new Numbered()
  readonly #actions: ActionEnvironments[][] = []
  #size = 0
  readonly #compiled: CompiledEnvironment[] = []
  readonly #sides: SideRows[] = []
  readonly #sidesOf = new Map<TypeTable, SideRows[]>()
  readonly #numberOf = new Map<SideRows, number>()
  /** By entity: for which sides and rows it was read. */
  readonly #readers = new Map<string, Set<number>>()
  /** Entities that say which rules there are in an environment. */
  readonly #founding = new Set<string>()
  #doubts = 0

  /** @param schema Of the entities; null: none. */
  constructor(rules: readonly Rule[], entities: LiveEntities, schema: Schema | null) {
    this.general = new Evaluator(rules)
    this.#entities = entities
    this.#schema = schema
    this.#rules = rules.map(splitRule)
    this.#named = new Set(rules.flatMap(({ action }) => (action.kind === 'eq' ? [uidText(action.uid)] : [])))
    entities.follow(this)
  }

  /** How many decisions the general evaluator has made. */
  get doubts(): number {
    return this.#doubts
  }

  /** What the decision point decides, as {@link Evaluator.decide}. Decisions may be shared: they are not to be changed. */
  decide(question: Question): Decision {
    const { principal, action, resource } = question
    const principals = this.#entities.table(principal.type)
    const resources = this.#entities.table(resource.type)
    if (principals === undefined || resources === undefined) return this.#adopted(question)
    const p = principals.rowOf(principal.id)
    const r = resources.rowOf(resource.id)
    if (p < 0 || r < 0) return this.#adopted(question)
    const environment = this.#actionOf(action)?.environments[principals.index]?.[resources.index]
    const compiled = environment === undefined ? this.#compile(action, principals, resources) : environment
    return compiled?.decide(p, r, question.context) ?? this.#inDoubt(question)
  }

  /** Compiles every environment of the schema for which there are entities, so that no decision has to. */
  prepare(): void {
    for (const { principal, action, resource } of this.#schema?.environments ?? []) {
      const [uid, principals, resources] = [this.#schema?.actions.get(action)?.uid, this.#entities.table(principal), this.#entities.table(resource)]
      if (uid !== undefined && principals !== undefined && resources !== undefined) this.#compile(uid, principals, resources)
    }
  }

  /** Lets go of the entities. */
  close(): void {
    this.#entities.leave(this)
  }

  changed(key: string, table: TypeTable, row: number): void {
    for (const side of this.#sidesOf.get(table) ?? []) side.drop(row)
    const readers = this.#readers.get(key)
    if (readers !== undefined) {
      this.#readers.delete(key)
      for (const reader of readers) this.#sides[Math.floor(reader / ROWS_MAX)]?.drop(reader % ROWS_MAX)
    }
    if (this.#founding.has(key)) this.#forget()
    else for (const environment of this.#compiled) environment.tidy()
  }

  /** Entities that only the schema gives have no row before they are asked for. */
  #adopted(question: Question): Decision {
    let isNew = false
    for (const uid of [question.principal, question.resource]) {
      if ((this.#entities.table(uid.type)?.rowOf(uid.id) ?? -1) >= 0) continue
      if (this.#entities.adopt(uid) === undefined) return this.#inDoubt(question)
      isNew = true
    }
    return isNew ? this.decide(question) : this.#inDoubt(question)
  }

  #inDoubt({ principal, action, resource, context }: Question): Decision {
    this.#doubts++
    return this.general.decide({ principal: valueOf(principal), action: valueOf(action), resource: valueOf(resource), context }, this.#entities)
  }

  #actionOf({ type, id }: Uid): ActionEnvironments | undefined {
    const index = this.#actionIds.get(id)
    if (index < 0) return undefined
    for (const each of this.#actions[index] as ActionEnvironments[]) if (each.type === type) return each
    return undefined
  }

  #compile(action: Uid, principals: TypeTable, resources: TypeTable): CompiledEnvironment | null {
    const name = new EntityValue(action.type, action.id)
    const text = uidText(name)
    // Requests name what they like: only actions that somebody has heard of are compiled for.
    const isKnown = this.#schema?.actions.has(text) === true || this.#named.has(text) || this.#entities.find(name) !== undefined
    if (!isKnown || this.#size >= ENVIRONMENTS_MAX) return null
    this.#size++
    const rules = this.#fitting(name, principals.name, resources.name)
    const made = rules === null ? null : new CompiledEnvironment(rules, {
      action: name, principals, resources, entities: this.#entities,
      watch: (key, side, row) => {
        const readers = this.#readers.get(key) ?? new Set()
        this.#readers.set(key, readers)
        readers.add((this.#numberOf.get(side) as number) * ROWS_MAX + row)
      },
    })
    if (made !== null) this.#compiled.push(made)
    for (const side of made === null ? [] : [made.principals, made.resources]) {
      this.#numberOf.set(side, this.#sides.push(side) - 1)
      const sides = this.#sidesOf.get(side.table)
      if (sides === undefined) this.#sidesOf.set(side.table, [side])
      else sides.push(side)
    }
    this.#keep(action, principals.index, resources.index, made)
    return made
  }

  #keep(action: Uid, principals: number, resources: number, made: CompiledEnvironment | null): void {
    let environments = this.#actionOf(action)?.environments
    if (environments === undefined) {
      environments = []
      const index = this.#actionIds.get(action.id)
      const entry = { type: action.type, environments }
      if (index < 0) this.#actionIds.add(action.id, this.#actions.push([entry]) - 1)
      else this.#actions[index]?.push(entry)
    }
    (environments[principals] ??= [])[resources] = made
  }

  /** The rules that can fit, as far as action and types tell; null when what the action is in cannot be told. */
  #fitting(action: EntityValue, principal: string, resource: string): readonly SplitRule[] | null {
    const entities = new Recording(this.#entities)
    const situation = new Situation({ principal: action, action, resource: action, context: NO_CONTEXT }, entities)
    const fitting = this.#rules.filter(({ rule }) => {
      if (!fitsType(rule.principal, principal) || !fitsType(rule.resource, resource)) return false
      if (rule.action.kind === 'eq') return rule.action.uid.id === action.id && rule.action.uid.type === action.type
      return rule.action.kind === 'any' || situation.isInAny(action, rule.action.uids.map(valueOf))
    })
    for (const key of entities.take()) this.#founding.add(key)
    return isSure(situation) ? fitting : null
  }

  #forget(): void {
    this.#actions.length = 0
    this.#actionIds = new Numbered()
    this.#compiled.length = 0
    this.#sidesOf.clear()
    this.#numberOf.clear()
    this.#sides.length = 0
    this.#readers.clear()
    this.#founding.clear()
    this.#size = 0
  }
}

const NO_CONTEXT = new RecordValue(new Map())

function valueOf(uid: Uid): EntityValue {
  return uid instanceof EntityValue ? uid : new EntityValue(uid.type, uid.id)
}
