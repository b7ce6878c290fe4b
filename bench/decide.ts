import { decideInProcess } from './decide-in-process.ts'
import { decideOverHttp } from './decide-over-http.ts'
import type { Result } from './measure.ts'

/** Decisions, in process and over HTTP. */
export async function run(): Promise<readonly Result[]> {
  return [...(await decideInProcess()), ...(await decideOverHttp())]
}
