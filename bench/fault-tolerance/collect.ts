import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256 } from '#core/canonical.ts'
import { readOutcomes, type Outcomes } from '#core/syndrome/outcomes.ts'
import { readNatural, type Natural } from './natural.ts'
import { ROOT } from './policies.ts'
import type { ReadSentence } from './read-corpora.ts'

type Version = { readonly commit: string; readonly read: readonly ReadSentence[] }

if (import.meta.main) collect()

/**
 * `node bench/fault-tolerance/collect.ts`: has the readers of the commits that natural.json names, oldest first, read the corpora as they are now, and writes what they
 * got wrong (natural.json), and how both readers did together (together.json), which `acgs weights update` counts.
 */
function collect(): void {
  const { because, versions: named } = readNatural()
  const versions = named.map(({ commit }): Version => ({ commit, read: readBy(commit) }))
  const lines = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).join(',\n')
  const { versions: counts, faults } = faultsOf(versions)
  writeFileSync(new URL('./natural.json', import.meta.url), `{\n"because": ${JSON.stringify(because)},\n"versions": [\n${lines(counts)}\n],\n"faults": [\n${lines(faults)}\n]\n}\n`)
  const { source, counts: countedFor, outcomes } = togetherOf(versions)
  writeFileSync(new URL('./together.json', import.meta.url), `{\n"source": ${JSON.stringify(source)},\n"counts": ${JSON.stringify(countedFor)},\n"outcomes": [\n${lines(outcomes)}\n]\n}\n`)
}

/** Both readings of every sentence, in the order of the corpora, by the readers of a commit. */
function readBy(commit: string): readonly ReadSentence[] {
  const folder = mkdtempSync(join(tmpdir(), 'acgs-version-'))
  const tree = join(folder, 'tree')
  try {
    execFileSync('git', ['worktree', 'add', '--quiet', '--detach', tree, commit], { cwd: ROOT })
    for (const path of ['test/cases/read', 'bench/fault-tolerance/read-corpora.ts']) {
      rmSync(join(tree, path), { recursive: true, force: true })
      cpSync(join(ROOT, path), join(tree, path), { recursive: true })
    }
    symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'))
    const program = "const { readCorpora } = await import('./bench/fault-tolerance/read-corpora.ts'); process.stdout.write(JSON.stringify(readCorpora()))"
    return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', program], { cwd: tree, encoding: 'utf8', maxBuffer: 2 ** 28 })) as readonly ReadSentence[]
  } finally {
    execFileSync('git', ['worktree', 'remove', '--force', tree], { cwd: ROOT })
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The different wrong readings, each with the versions that had it; it is another where the other reader made something else of the sentence. */
export function faultsOf(versions: readonly Version[]): Pick<Natural, 'versions' | 'faults'> {
  const faults = new Map<string, Natural['faults'][number]>()
  for (const { commit, read } of versions) {
    for (const both of sentencesOf(read)) {
      for (const [i, { corpus, text, method, wrong, cedar }] of both.entries()) {
        if (wrong === null) continue
        const other = both[1 - i] as ReadSentence
        const how = other.outcome === 'unread' ? 'unread' : rulesIn(other.cedar) === rulesIn(cedar) ? 'alike' : 'otherwise'
        const key = JSON.stringify([corpus, text, method, rulesIn(cedar), how])
        const before = faults.get(key)
        faults.set(key, before === undefined ? { corpus, text, method, versions: [commit], said: rulesIn(cedar), meant: wrong, other: how } : { ...before, versions: [...before.versions, commit] })
      }
    }
  }
  const count = (read: readonly ReadSentence[], wanted: string) => read.filter(({ outcome }) => outcome === wanted).length
  return {
    versions: versions.map(({ commit, read }) => ({ commit, sentences: read.length / 2, readings: { right: count(read, 'right'), wrong: count(read, 'wrong'), unread: count(read, 'unread') } })),
    faults: [...faults.values()],
  }
}

/**
 * What both readers made of each sentence, once: in the oldest version in which one of them was wrong, else in the newest. The same rules, written the same way, are the
 * same wrong meaning; other rules that mean the same count as apart, so that `alike` is never made larger by this.
 */
export function togetherOf(versions: readonly Version[]): Outcomes {
  const sentences = versions.map(({ read }) => sentencesOf(read))
  const newest = sentences.at(-1) ?? []
  return readOutcomes({
    source: {
      id: 'earlier-versions-1',
      what: `readings of test/cases/read by earlier versions of both readers (${versions.map(({ commit }) => commit).join(', ')}), each sentence once: how they err together, not how often`,
    },
    counts: 'together',
    outcomes: newest.map((latest, i) => {
      const told = sentences.map((version) => version[i] ?? []).find((both) => both.some(({ outcome }) => outcome === 'wrong')) ?? latest
      return { readings: Object.fromEntries(told.map(({ method, outcome, cedar }) => [method, outcome === 'wrong' ? `wrong ${sha256(rulesIn(cedar)).slice(0, 8)}` : outcome])) }
    }),
  })
}

function sentencesOf(read: readonly ReadSentence[]): readonly (readonly ReadSentence[])[] {
  return [...Map.groupBy(read, ({ corpus, text }) => JSON.stringify([corpus, text])).values()]
}

/** Without the annotations, which say where a rule is from. */
function rulesIn(cedar: string): string {
  return cedar.split('\n').filter((line) => !line.startsWith('@')).join('\n').trim()
}
