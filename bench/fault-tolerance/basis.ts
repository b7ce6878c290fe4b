import { globSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { digest, sha256 } from '#core/canonical.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { TABLE_VERSION } from '#core/stabilizers/table.ts'
import { WEIGHTS } from '#core/syndrome/weights.ts'
import { ROOT } from './policies.ts'
import type { FaultTolerance, Part } from './run.ts'

/** What figures are of: a version or a digest, by what it is a version or digest of. */
export type Basis = { readonly [of: string]: string }

/** Every part that was measured. */
export function partsOf({ trials, representations, natural, ambiguous }: FaultTolerance): readonly Part<unknown>[] {
  return [...Object.values(trials), representations, natural, ambiguous].filter((part) => part !== undefined)
}

/** Of another one of these the figures say nothing. */
const DECIDING: readonly string[] = ['weights', 'stabilizers', 'constitution']

/** What is run, and what it is given. A change there may change a figure, or none. */
const SOURCES: { readonly [of: string]: readonly string[] } = {
  readers: ['src/core/synthesis', 'src/core/unit', 'src/services/synthesis/propose.ts'],
  prover: ['src/core/proof', 'src/adapters/solver'],
  policies: ['src/core/policy', 'src/core/decision', 'src/adapters/cedar'],
  checks: ['src/core/stabilizers', 'src/core/syndrome', 'src/core/questions', 'src/core/compliance', 'src/core/constitution', 'src/core/generate.ts'],
  experiment: ['src/core/injection', ...['ambiguous', 'context', 'natural', 'policies', 'read-corpora', 'representations', 'trials'].map((name) => `bench/fault-tolerance/${name}.ts`)],
  texts: ['packs', 'test/cases/read', 'bench/fault-tolerance/ambiguous.json', 'bench/fault-tolerance/natural.json'],
}

/** What a measurement would be of now. Tests do not count, nor do the weights, which are named by themselves. */
export function basisNow(root = ROOT): Basis {
  const { digest: constitution } = parseConstitution(readFileSync(join(root, 'constitutions/acgs.yaml'), 'utf8'))
  const filesIn = (places: readonly string[]) => globSync(places.flatMap((place) => [place, `${place}/**/*`]), { cwd: root, withFileTypes: true })
    .filter((file) => file.isFile() && !file.name.endsWith('.test.ts') && file.name !== 'weights.json').map((file) => join(file.parentPath, file.name)).sort()
  const sources = Object.entries(SOURCES).map(([of, places]) => [of, digest(filesIn(places).map((path) => [relative(root, path), sha256(readFileSync(path))]))])
  return { weights: digest(WEIGHTS), stabilizers: TABLE_VERSION, constitution, ...Object.fromEntries(sources) }
}

/**
 * How far figures are of what is here.
 *
 * `wrong`: of these they are of another one, so that they say nothing of what is here. `doubtful`: these have changed since, or it was not
 * written down what they were; only measuring again tells whether the figures are still the same.
 */
export type Standing = { readonly wrong: readonly string[]; readonly doubtful: readonly string[] }

/** @param measured What each part was measured with; undefined where that was not written down. */
export function standingOf(measured: readonly (Basis | undefined)[], now: Basis): Standing {
  const differing = (of: string) => measured.map((basis) => basis?.[of]).filter((value) => value !== now[of])
  const wrong = DECIDING.filter((of) => differing(of).some((value) => value !== undefined))
  return { wrong, doubtful: Object.keys(now).filter((of) => !wrong.includes(of) && differing(of).length > 0) }
}

export function isSame(a: Basis | undefined, b: Basis): boolean {
  const { wrong, doubtful } = standingOf([a], b)
  return wrong.length === 0 && doubtful.length === 0
}

/** What whoever looks should know, with what to do; null where the figures are of what is here. */
export function toldOf({ wrong, doubtful }: Standing): string | null {
  const named = (of: string) => (SOURCES[of] === undefined ? of : `${of} (${SOURCES[of].filter((place) => !/\.(ts|json)$/.test(place)).join(', ')})`)
  const said = [
    ...(wrong.length === 0 ? [] : [`are of other ${wrong.map(named).join(', ')}`]),
    ...(doubtful.length === 0 ? [] : [`may be others now: since they were measured, or without being written down, these changed: ${doubtful.map(named).join(', ')}`]),
  ]
  return said.length === 0 ? null : `the figures of docs/fault-tolerance.md ${said.join('; and ')}. \`npm run fault-tolerance -- --resume\` measures those parts again`
}
