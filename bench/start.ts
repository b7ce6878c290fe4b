import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startProduct } from '#test/product.ts'
import { summarize, type Result } from './measure.ts'

const RUNS = 7

/** From the command to four ports that answer: the first start, which makes the database, and later ones; and the memory of the idle product. */
export async function run(): Promise<readonly Result[]> {
  const data = mkdtempSync(join(tmpdir(), 'acgs-bench-'))
  const later: number[] = []
  const memory: number[] = []
  let first = Number.NaN
  try {
    for (let i = 0; i <= RUNS; i++) {
      await using product = await startProduct({ dataFolder: data })
      if (i === 0) first = product.readyMs
      else later.push(product.readyMs)
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      if (i > 0) memory.push(residentMegabytes(product.pid, data))
    }
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
  const baseline = summarize('first start', 'ms', [first])
  return [baseline, summarize('later starts', 'ms', later, baseline), summarize('idle memory, PostgreSQL included (PSS)', 'MB', memory)]
}

/** Proportional set size of the product and of its database server: shared pages are counted once. Linux. */
function residentMegabytes(pid: number, dataFolder: string): number {
  const postmaster = Number(readFileSync(join(dataFolder, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0])
  const parents = new Map(readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      return [[Number(name), Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1])] as const]
    } catch {
      return []
    }
  }))
  const isOurs = (each: number): boolean => each === pid || each === postmaster || (parents.has(each) && parents.get(each) !== each && isOurs(parents.get(each) as number))
  const kilobytes = [...parents.keys()].filter(isOurs).map((each) => {
    try {
      return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${each}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
    } catch {
      return 0
    }
  })
  return kilobytes.reduce((sum, each) => sum + each, 0) / 1024
}
