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
import { CompiledEnvironment, type Use } from './compiled-environment.ts'
import { Interned } from './interned.ts'
import { fitsType } from './masks.ts'
import { Program } from './program.ts'
import type { Keeper } from './recording.ts'
import { Slots } from './slots.ts'
import { SplitRules, type SplitRule } from './split-rules.ts'
import type { Follower, TypeTable } from './type-table.ts'

/** A request whose uids need not be values yet. */
export type Question = { readonly principal: Uid; readonly action: Uid; readonly resource: Uid; readonly context: RecordValue }

/** Of one action, by the index of the principal's type, times the number of types, and that of the resource's. */
type ActionEnvironments = {
  readonly type: string
  readonly environments: (CompiledEnvironment | undefined)[]
  /** Of another type with the same id. */
  readonly next: ActionEnvironments | undefined
}

/** Combinations of action and types that are compiled; those beyond are decided by the general evaluator. */
const ENVIRONMENTS_MAX = 4_096
/** Of the numbers of keepers, each with its own range of rows. */
const ROWS_MAX = 2 ** 26
/** So often it may be noted that a row rests on another entity, until all rows are dropped. */
const READERS_MAX = 2 ** 20
/**
 * So many integers may be kept in rows and lists, 256 MiB, until all are dropped. The masks of a thousand environments, two words each, of as many
 * entities as a store keeps read are fewer: whoever needs more drops and makes them anew all the time.
 */
const INTS_MAX = 2 ** 26
/** So many values may be known, beside twice as many as rows have room for, until all are forgotten. */
const UNUSED_MIN = 2 ** 16

/**
 * Compiles rules over a store for every environment of a schema, to decide by from then on, whatever changes in the store.
 *
 * @param pause Awaited after every part of the work: others may decide then.
 */
export async function compileRules(rules: readonly Rule[], schema: Schema, store: EntityStore, pause: () => Promise<unknown>): Promise<DenseEvaluator> {
  const made = new DenseEvaluator(rules, store.readBy(schema))
  await pause()
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
  readonly #rules: SplitRules
  /** By id. */
  readonly #actions = new Map<string, ActionEnvironments>()
  readonly #compiled: CompiledEnvironment[] = []
  readonly #interned = new Interned()
  readonly #slotsOf = new Map<TypeTable, Slots>()
  readonly #keepers: Keeper[] = []
  readonly #keepersOf = new Map<TypeTable, Keeper[]>()
  readonly #numberOf = new Map<Keeper, number>()
  /** By entity: for which keepers and rows it was read. */
  readonly #readers = new Map<string, Set<number>>()
  #readersCount = 0
  readonly #use: Pick<Use, 'interned' | 'program' | 'entities' | 'room' | 'watch'>
  #doubts = 0

  constructor(rules: readonly Rule[], entities: StoredEntities) {
    this.#general = new Evaluator(rules)
    this.#entities = entities
    this.#rules = new SplitRules(rules)
    this.#use = {
      entities, interned: this.#interned, program: new Program(this.#interned.values), room: { ints: 0 },
      watch: (key, keeper, row) => {
        const readers = this.#readers.get(key) ?? new Set()
        this.#readers.set(key, readers)
        this.#readersCount -= readers.size
        readers.add((this.#numberOf.get(keeper) as number) * ROWS_MAX + row)
        this.#readersCount += readers.size
      },
    }
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
    if (this.#use.room.ints > INTS_MAX) this.#forget()
    const { principal, action, resource } = question
    const principals = this.#entities.table(principal.type)
    const resources = this.#entities.table(resource.type)
    if (principals === undefined || resources === undefined) return this.#inDoubt(question)
    const p = principals.rowOf(principal.id)
    const r = resources.rowOf(resource.id)
    if (p === 0 || r === 0) return this.#read(question)
    const compiled = this.#compiledFor(action, principals, resources) ?? this.#compile(action, principals, resources)
    return compiled?.decide(p, r, question.context) ?? this.#inDoubt(question)
  }

  /** Compiles every environment of the schema, so that no decision has to. */
  async prepare(pause: () => Promise<unknown>): Promise<void> {
    const { schema } = this.#entities
    for (const { principal, action, resource } of schema.environments) {
      const [uid, principals, resources] = [schema.actions.get(action)?.uid, this.#entities.table(principal), this.#entities.table(resource)]
      if (uid === undefined || principals === undefined || resources === undefined) continue
      if (this.#compiledFor(uid, principals, resources) !== undefined) continue
      this.#compile(uid, principals, resources)
      await pause()
    }
  }

  changed(key: string, table: TypeTable, row: number): void {
    if (row > 0) for (const keeper of this.#keepersOf.get(table) ?? []) keeper.drop(row)
    const readers = this.#readers.get(key)
    if (readers === undefined) return
    this.#readers.delete(key)
    this.#readersCount -= readers.size
    for (const reader of readers) this.#keepers[Math.floor(reader / ROWS_MAX)]?.drop(reader % ROWS_MAX)
  }

  settled(): void {
    if (this.#readersCount > READERS_MAX || this.#use.room.ints > INTS_MAX) this.#forget()
    for (const environment of this.#compiled) environment.tidy()
    // Values that no row has any more are still known by their numbers.
    const inRows = [...this.#slotsOf.values()].reduce((sum, { size }) => sum + size, 0)
    if (this.#interned.values.length <= 2 * inRows + UNUSED_MIN) return
    for (const slots of this.#slotsOf.values()) slots.forget()
    this.#interned.clear()
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

  #compiledFor({ type, id }: Uid, principals: TypeTable, resources: TypeTable): CompiledEnvironment | undefined {
    let action = this.#actions.get(id)
    while (action !== undefined && action.type !== type) action = action.next
    return action?.environments[principals.index * this.#entities.types + resources.index]
  }

  /** Null: left to the general evaluator. */
  #compile(action: Uid, principals: TypeTable, resources: TypeTable): CompiledEnvironment | null {
    const name = new EntityValue(action.type, action.id)
    // Requests name what they like: only actions of the schema are compiled for.
    if (!this.#entities.schema.actions.has(uidText(name)) || this.#compiled.length >= ENVIRONMENTS_MAX) return null
    const rules = this.#fitting(name, principals.name, resources.name)
    const made = new CompiledEnvironment(rules, { ...this.#use, action: name, principals: this.#slotsFor(principals), resources: this.#slotsFor(resources) })
    this.#compiled.push(made)
    this.#add(made.principals, principals)
    this.#add(made.resources, resources)
    this.#environmentsOf(name)[principals.index * this.#entities.types + resources.index] = made
    return made
  }

  #environmentsOf({ type, id }: EntityValue): ActionEnvironments['environments'] {
    const first = this.#actions.get(id)
    for (let each = first; each !== undefined; each = each.next) if (each.type === type) return each.environments
    const made: ActionEnvironments = { type, environments: [], next: first }
    this.#actions.set(id, made)
    return made.environments
  }

  #slotsFor(table: TypeTable): Slots {
    const known = this.#slotsOf.get(table)
    if (known !== undefined) return known
    const made = new Slots(table, this.#use)
    this.#slotsOf.set(table, made)
    this.#add(made, table)
    return made
  }

  #add(keeper: Keeper, table: TypeTable): void {
    this.#numberOf.set(keeper, this.#keepers.push(keeper) - 1)
    const keepers = this.#keepersOf.get(table)
    if (keepers === undefined) this.#keepersOf.set(table, [keeper])
    else keepers.push(keeper)
  }

  /** Drops all that was worked out from entities. */
  #forget(): void {
    for (const keeper of this.#keepers) {
      keeper.forget()
      keeper.rows.forget()
    }
    this.#interned.clear()
    this.#readers.clear()
    this.#readersCount = 0
  }

  /** The rules that can fit, as far as action and types tell. */
  #fitting(action: EntityValue, principal: string, resource: string): readonly SplitRule[] {
    const situation = new Situation({ principal: action, action, resource: action, context: NO_CONTEXT }, this.#entities)
    return this.#rules.filter((rule) => {
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
