import type { Uid } from '#core/policy/expression.ts'
import type { Rule } from '#core/policy/policy.ts'
import { uidText } from '#core/policy/policy.ts'
import type { Schema } from '#core/policy/schema.ts'
import type { Decision } from '../decide.ts'
import type { EntityStore } from '../entity-store.ts'
import { Evaluator } from '../evaluator.ts'
import { Situation, type Entities } from '../situation.ts'
import type { StoredEntities } from '../stored-entities.ts'
import { EntityValue, RecordValue } from '../value.ts'
import { CompiledEnvironment, splitRule, type SplitRule } from './compiled-environment.ts'
import { Numbered } from './numbered.ts'
import { fitsType, type SideRows } from './side.ts'
import type { Follower, TypeTable } from './type-table.ts'

/** A request whose uids need not be values yet. */
export type Question = { readonly principal: Uid; readonly action: Uid; readonly resource: Uid; readonly context: RecordValue }

/** Of one action, by the indexes of the types. */
type ActionEnvironments = { readonly type: string; readonly environments: CompiledEnvironment[][] }

/** Combinations of action and types that are compiled; those beyond are decided by the general evaluator. */
const ENVIRONMENTS_MAX = 4_096
/** Of side numbers, each with its own range of rows. */
const ROWS_MAX = 2 ** 26
/** So often it may be noted that a row has read another entity, until all rows are dropped. */
const READERS_MAX = 2 ** 20

/**
 * Compiles rules over a store for every environment of a schema, to decide by from then on, whatever changes in the store.
 *
 * @param pause Awaited after every part of the work: others may decide then.
 */
export async function compileRules(rules: readonly Rule[], schema: Schema, store: EntityStore, pause: () => Promise<unknown>): Promise<DenseEvaluator> {
  const made = new DenseEvaluator(rules, store.readBy(schema))
  await made.prepare(pause)
  return made
}

/**
 * Rules over entities that change, compiled for speed. It decides exactly as {@link Evaluator.decide} does: whatever is not seen to be free of
 * errors, with everything there that is read, is decided by that one.
 *
 * What rules ask of one entity alone is worked out when a decision first needs it, and dropped when that entity, or another that was read for it, changes.
 */
export class DenseEvaluator implements Follower {
  readonly #general: Evaluator
  readonly #entities: StoredEntities
  readonly #rules: readonly SplitRule[]
  /** By id: the index in the list of those that have it, which are of different types. */
  readonly #actionIds = new Numbered()
  readonly #actions: ActionEnvironments[][] = []
  readonly #compiled: CompiledEnvironment[] = []
  readonly #sides: SideRows[] = []
  readonly #sidesOf = new Map<TypeTable, SideRows[]>()
  readonly #numberOf = new Map<SideRows, number>()
  /** By entity: for which sides and rows it was read. */
  readonly #readers = new Map<string, Set<number>>()
  #readersCount = 0
  #doubts = 0

  constructor(rules: readonly Rule[], entities: StoredEntities) {
    this.#general = new Evaluator(rules)
    this.#entities = entities
    this.#rules = rules.map(splitRule)
    entities.follow(this)
  }

  /** How many decisions the general evaluator has made. */
  get doubts(): number {
    return this.#doubts
  }

  /**
   * What the decision point decides, as {@link Evaluator.decide}. Decisions may be shared: they are not to be changed.
   *
   * @param entities Others than those that it was compiled over, e.g. a question's own laid over them: the general evaluator decides then.
   */
  decide(question: Question, entities: Entities = this.#entities): Decision {
    if (entities !== this.#entities) return this.#generally(question, entities)
    const { principal, action, resource } = question
    const principals = this.#entities.table(principal.type)
    const resources = this.#entities.table(resource.type)
    if (principals === undefined || resources === undefined) return this.#inDoubt(question)
    const p = principals.rowOf(principal.id)
    const r = resources.rowOf(resource.id)
    if (p < 0 || r < 0) return this.#read(question)
    const compiled = this.#actionOf(action)?.environments[principals.index]?.[resources.index] ?? this.#compile(action, principals, resources)
    return compiled?.decide(p, r, question.context) ?? this.#inDoubt(question)
  }

  /** Compiles every environment of the schema, so that no decision has to. */
  async prepare(pause: () => Promise<unknown>): Promise<void> {
    const { schema } = this.#entities
    for (const { principal, action, resource } of schema.environments) {
      const [uid, principals, resources] = [schema.actions.get(action)?.uid, this.#entities.table(principal), this.#entities.table(resource)]
      if (uid === undefined || principals === undefined || resources === undefined) continue
      if (this.#actionOf(uid)?.environments[principals.index]?.[resources.index] !== undefined) continue
      this.#compile(uid, principals, resources)
      await pause()
    }
  }

  changed(key: string, table: TypeTable, row: number): void {
    if (row >= 0) for (const side of this.#sidesOf.get(table) ?? []) side.drop(row)
    const readers = this.#readers.get(key)
    if (readers === undefined) return
    this.#readers.delete(key)
    this.#readersCount -= readers.size
    for (const reader of readers) this.#sides[Math.floor(reader / ROWS_MAX)]?.drop(reader % ROWS_MAX)
  }

  settled(): void {
    const isCrowded = this.#readersCount > READERS_MAX
    if (isCrowded) {
      this.#readers.clear()
      this.#readersCount = 0
    }
    for (const environment of this.#compiled) environment.tidy(isCrowded)
  }

  /** Has the store read both, so that they have rows, if there are such entities. */
  #read(question: Question): Decision {
    this.#entities.makeRoom()
    const { principal, resource } = question
    const isThere = this.#entities.find(valueOf(principal)) !== undefined && this.#entities.find(valueOf(resource)) !== undefined
    return isThere ? this.decide(question) : this.#inDoubt(question)
  }

  #inDoubt(question: Question): Decision {
    this.#doubts++
    this.#entities.makeRoom()
    return this.#generally(question, this.#entities)
  }

  #generally({ principal, action, resource, context }: Question, entities: Entities): Decision {
    return this.#general.decide({ principal: valueOf(principal), action: valueOf(action), resource: valueOf(resource), context }, entities)
  }

  #actionOf({ type, id }: Uid): ActionEnvironments | undefined {
    const index = this.#actionIds.get(id)
    if (index < 0) return undefined
    for (const each of this.#actions[index] as ActionEnvironments[]) if (each.type === type) return each
    return undefined
  }

  /** Null: left to the general evaluator. */
  #compile(action: Uid, principals: TypeTable, resources: TypeTable): CompiledEnvironment | null {
    const name = new EntityValue(action.type, action.id)
    // Requests name what they like: only actions of the schema are compiled for.
    if (!this.#entities.schema.actions.has(uidText(name)) || this.#compiled.length >= ENVIRONMENTS_MAX) return null
    const made = new CompiledEnvironment(this.#fitting(name, principals.name, resources.name), {
      action: name, principals, resources, entities: this.#entities,
      watch: (key, side, row) => {
        const readers = this.#readers.get(key) ?? new Set()
        this.#readers.set(key, readers)
        this.#readersCount -= readers.size
        readers.add((this.#numberOf.get(side) as number) * ROWS_MAX + row)
        this.#readersCount += readers.size
      },
    })
    this.#compiled.push(made)
    for (const side of [made.principals, made.resources]) {
      this.#numberOf.set(side, this.#sides.push(side) - 1)
      const sides = this.#sidesOf.get(side.table)
      if (sides === undefined) this.#sidesOf.set(side.table, [side])
      else sides.push(side)
    }
    this.#keep(action, principals.index, resources.index, made)
    return made
  }

  #keep(action: Uid, principals: number, resources: number, made: CompiledEnvironment): void {
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

  /** The rules that can fit, as far as action and types tell. */
  #fitting(action: EntityValue, principal: string, resource: string): readonly SplitRule[] {
    const situation = new Situation({ principal: action, action, resource: action, context: NO_CONTEXT }, this.#entities)
    return this.#rules.filter(({ rule }) => {
      if (!fitsType(rule.principal, principal) || !fitsType(rule.resource, resource)) return false
      if (rule.action.kind === 'eq') return rule.action.uid.id === action.id && rule.action.uid.type === action.type
      return rule.action.kind === 'any' || situation.isInAny(action, rule.action.uids.map(valueOf))
    })
  }
}

const NO_CONTEXT = new RecordValue(new Map())

function valueOf(uid: Uid): EntityValue {
  return uid instanceof EntityValue ? uid : new EntityValue(uid.type, uid.id)
}
