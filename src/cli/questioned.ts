import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Option, type Command } from 'commander'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { readConfig } from '#config'
import { Failure } from '#core/failure.ts'
import type { PolicySet } from '#core/policy/policy.ts'
import type { Environment } from '#core/policy/schema.ts'
import type { Semantics } from '#core/proof/encode.ts'
import type { Engines } from '#core/proof/study.ts'
import { newCommand, readAll, readCedar } from './terminal.ts'

/** What every command takes that asks the prover about files. */
export type ProverOptions = {
  schema: string; config?: string; semantics: Semantics; emitSmtlib?: string
  principal?: string; action?: string; resource?: string; json?: boolean; quiet?: boolean
}

/** A command that asks the prover: over which schema, under which semantics, about which requests. */
export function newQuestion(name: string, description: string, example: string): Command {
  return newCommand(name, description, example)
    .requiredOption('--schema <file>', 'Cedar schema')
    .addOption(new Option('--semantics <which>', 'decision-point: any evaluation error denies; cedar: an erring rule is skipped').choices(['decision-point', 'cedar']).default('decision-point'))
    .option('--principal <type>', 'only requests of principals of this type')
    .option('--action <uid>', 'only requests of this action, e.g. Action::"view"')
    .option('--resource <type>', 'only requests for resources of this type')
    .option('--emit-smtlib <dir>', 'write each question in SMT-LIB 2.6 into this folder, so that any solver can be asked')
    .option('--config <file>', 'another configuration file')
}

/** The prover with what the options say. @throws {Failure} `SCHEMA_INVALID`, or `REQUEST_MALFORMED` when no request of the schema is asked about. */
export function openQuestion(options: ProverOptions) {
  const config = readConfig({ file: options.config ?? null, env: process.env })
  const schema = readCedar(options.schema, parseSchema)
  const { principal, action, resource, emitSmtlib } = options
  const only = { ...(principal === undefined ? {} : { principal }), ...(action === undefined ? {} : { action }), ...(resource === undefined ? {} : { resource }) }
  const isAsked = (each: Environment) => Object.entries(only).every(([part, value]) => each[part as keyof Environment] === value)
  if (!schema.environments.some(isAsked)) {
    throw new Failure('REQUEST_MALFORMED', `the schema has no request environment with ${Object.entries(only).map(([part, value]) => `${part} ${value}`).join(', ')}: it has ${schema.environments.slice(0, 10).map((each) => `${each.principal} ${each.action} ${each.resource}`).join('; ')}`)
  }
  const scripts: Script[] = []
  const parse = (file: string): PolicySet => readCedar(file, (text) => parsePolicies(text, schema))
  return {
    config, schema,
    parse,
    parseBoth: (a: string, b: string): readonly [PolicySet, PolicySet] => readAll([() => parse(a), () => parse(b)]),
    only: { semantics: options.semantics, only },
    prover: createProver({
      rlimit: config.generationEngine.proofRlimit, timeoutMs: config.generationEngine.proofTimeoutMs,
      ...(emitSmtlib === undefined ? {} : { onScript: (script: Script) => void scripts.push(script) }),
    }),
    /** Writes what was asked. @returns How many files. */
    emitted: (): number => (emitSmtlib === undefined ? 0 : write(emitSmtlib, scripts)),
  }
}

type Script = Parameters<NonNullable<Engines['onScript']>>[0]

/** `unsat` says that what the question is about holds in the environment; a model is a counterexample. */
function write(folder: string, scripts: readonly Script[]): number {
  mkdirSync(folder, { recursive: true })
  for (const [i, { question, environment: { principal, action, resource }, text }] of scripts.entries()) {
    const name = `${String(i + 1).padStart(4, '0')}-${question.replace(/[^\w.-]+/g, '-')}.smt2`
    const comment = (line: string) => `; ${line.replace(/[\r\n]+/g, ' ')}`
    const head = [comment(question), comment(`${principal} ${action} ${resource}`), comment('unsat: it holds for every request of this environment'), '(set-info :smt-lib-version 2.6)', '(set-logic ALL)', '']
    writeFileSync(join(folder, name), `${head.join('\n')}${text}(check-sat)\n`)
  }
  return scripts.length
}
