import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const GIT_MS = 300_000
/** What the product is made of, as its image is. */
const PRODUCT = ['acgs', 'config', 'constitutions', 'examples', 'migrations', 'package.json', 'packs', 'src']

/** One version of the product in a folder that can be started. */
export type Version = {
  /** For people: a commit and its subject, or what is here. */
  readonly name: string
  readonly folder: string
  /** The newest of its migrations. */
  readonly schema: number
  /** It keeps what was accepted: `Idempotency-Key` and `Prefer: respond-async` mean something to it. */
  readonly keepsRequests: boolean
}

/**
 * Why no earlier version can be had here; null when one can.
 *
 * @param isFetched Whether a shallow clone is made whole first, where its origin answers.
 */
export function noHistory(isFetched = false): string | null {
  const isShallow = () => git('rev-parse', '--is-shallow-repository')
  const shallow = isShallow()
  if (shallow === null) return 'this is no git repository: earlier versions are taken from its history'
  if (shallow === 'false') return null
  if (!isFetched) return 'this clone is shallow: `git fetch --unshallow` brings the earlier versions'
  git('fetch', '--quiet', '--unshallow')
  return isShallow() === 'false' ? null : 'this clone is shallow, and its origin did not give the earlier versions: `git fetch --unshallow` says why'
}

/**
 * The commits that a rolling update starts from when none is named: the newest whose migrations end before the newest of these, so that this
 * version's migrations meet that version's code; and the newest whose product is another one over the same migrations.
 *
 * Both run with the libraries that are installed here; a commit that needs others is passed over.
 */
export function previousCommits(): readonly string[] {
  const here = migrationsHere()
  const product = productOf('HEAD')
  const isChanged = (git('status', '--porcelain', '--', ...PRODUCT) ?? '') !== ''
  let shorter: string | null = null
  let same: string | null = null
  for (const commit of (git('rev-list', 'HEAD') ?? '').split('\n')) {
    if (shorter !== null && same !== null) break
    const there = migrationsOf(commit)
    const isPrefix = there.length > 0 && [...FOLDERS].every((folder) => isBeginning(there.filter((each) => folderOf(each) === folder), here.filter((each) => folderOf(each) === folder)))
    if (!isPrefix || !runsHere(commit)) continue
    if (there.length < here.length) shorter ??= commit
    else if (isChanged || productOf(commit) !== product) same ??= commit
  }
  return [shorter, same].filter((each) => each !== null)
}

/** @throws {Error} when there is no such commit. */
export function unpack(commit: string, folder: string): Version {
  const found = git('log', '-1', '--format=%h %cs %s', commit, '--')
  if (found === null || found === '') throw new Error(`there is no commit \`${commit}\` here`)
  if (!runsHere(commit)) throw new Error(`\`${commit}\` needs other libraries than are installed here: name a later commit`)
  mkdirSync(folder, { recursive: true })
  const archive = execFileSync('git', ['archive', commit], { cwd: ROOT, maxBuffer: 2 ** 30 })
  execFileSync('tar', ['-x', '-C', folder], { input: archive })
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  return versionIn(folder, found)
}

/** What is here, uncommitted changes included. */
export function present(): Version {
  return versionIn(ROOT.replace(/\/$/, ''), `${git('rev-parse', '--short', 'HEAD') ?? '?'}${(git('status', '--porcelain', '--', ...PRODUCT) ?? '') === '' ? '' : ' and changes that are not committed'} (here)`)
}

/** @returns Whether a version knows a setting; one that it does not know keeps it from starting. */
export function knows({ folder }: Version, section: string, name: string): boolean {
  const text = readFileSync(join(folder, 'src', 'config.ts'), 'utf8')
  return new RegExp(`^  ${section}: \\{\n(?:    .*\n)*?    ${name}: `, 'm').test(text)
}

function versionIn(folder: string, name: string): Version {
  const numbers = readdirSync(join(folder, 'migrations')).map((file) => Number.parseInt(file, 10)).filter((number) => !Number.isNaN(number))
  return { name, folder, schema: Math.max(...numbers), keepsRequests: readdirSync(join(folder, 'src', 'services', 'platform')).includes('requests.ts') }
}

type Migration = { readonly path: string; readonly blob: string }

const FOLDERS = new Set(['migrations', 'migrations/auth'])
const folderOf = ({ path }: Migration) => path.split('/').slice(0, -1).join('/')
const isBeginning = (some: readonly Migration[], all: readonly Migration[]) => some.every(({ path, blob }, at) => all[at]?.path === path && all[at]?.blob === blob)

function migrationsOf(commit: string): readonly Migration[] {
  return (git('ls-tree', '-r', commit, '--', 'migrations') ?? '').split('\n').flatMap((line) => {
    const [, blob, path] = /^\S+ blob (\w+)\t(.*\.sql)$/.exec(line) ?? []
    return blob === undefined || path === undefined ? [] : [{ path, blob }]
  })
}

function migrationsHere(): readonly Migration[] {
  const paths = [...FOLDERS].flatMap((folder) => readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.sql')).map((name) => `${folder}/${name}`)).toSorted()
  const blobs = (git('hash-object', '--', ...paths) ?? '').split('\n')
  return paths.map((path, at) => ({ path, blob: blobs[at] as string }))
}

function productOf(commit: string): string {
  return git('ls-tree', commit, '--', ...PRODUCT) ?? ''
}

function runsHere(commit: string): boolean {
  const text = git('show', `${commit}:package.json`)
  if (text === null) return false
  const { dependencies } = JSON.parse(text) as { dependencies: Record<string, string> }
  return Object.entries(dependencies).every(([name, version]) => installed(name) === version)
}

function installed(name: string): string | null {
  try {
    return (JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version
  } catch {
    return null
  }
}

function git(...args: readonly string[]): string | null {
  // An origin that asks for a password, or does not answer, is none.
  const { status, stdout } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 2 ** 28, timeout: GIT_MS, env: { ...process.env, GIT_TERMINAL_PROMPT: '0', GIT_SSH_COMMAND: 'ssh -o BatchMode=yes' } })
  return status === 0 ? stdout.trim() : null
}
