import { join } from 'node:path'
import { ROOT, readConfig, type Config } from '#config'
import { loadConstitution, loadDraft, type ConstitutionInForce } from '#adapters/constitution.ts'
import { createExaminer, type Examiner } from '#adapters/examiner.ts'
import { loadPacks } from '#adapters/packs.ts'
import { createProver } from '#adapters/solver/prover.ts'
import type { Pack } from '#core/unit/pack.ts'

/** What a command needs to run the flow, or a part of it, without a server. Closes the solver at the end of its scope. */
export type Offline = {
  readonly config: Config
  readonly inForce: ConstitutionInForce
  readonly packs: readonly Pack[]
  readonly examiner: Examiner
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/** @param constitution Another document than the one in force, e.g. a draft; it is not ratified. */
export function openOffline(options: { readonly config?: string; readonly data?: string; readonly constitution?: string }): Offline {
  const config = readConfig({ file: options.config ?? null, env: process.env, dataFolder: options.data })
  const { constitutional, generationEngine } = config
  const inForce = options.constitution === undefined ? loadConstitution(constitutional, constitutional.hash) : loadDraft(options.constitution)
  const prover = createProver({ rlimit: generationEngine.proofRlimit, timeoutMs: generationEngine.proofTimeoutMs })
  return {
    config,
    inForce,
    packs: loadPacks(join(ROOT, 'packs')),
    examiner: createExaminer(inForce.constitution, prover),
    [Symbol.asyncDispose]: async () => prover[Symbol.asyncDispose](),
  }
}
