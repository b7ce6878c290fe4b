import { readFileSync, writeSync } from 'node:fs'
import { Command } from 'commander'
import type { z } from 'zod'
import { fileFailure } from '#adapters/file-failure.ts'
import { Failure, type FailureCode } from '#core/failure.ts'
import { parseJson } from '#core/json.ts'
import { parseInput } from '#core/parse.ts'
import { placed } from './json-places.ts'

/** Exit statuses that scripts rely on. */
export const EXIT = { yes: 0, failed: 1, usage: 2, no: 3, undetermined: 4 } as const

/** What a command found: one JSON document, the same for people, and the exit status that says it; `error` is why a service refused. */
export type Answer = { readonly json: unknown; readonly text: string; readonly exit: number; readonly error?: string }

/** Bad input exits 2; everything else that is a Failure exits 1. */
const USAGE: ReadonlySet<FailureCode> = new Set([
  'REQUEST_MALFORMED', 'REQUEST_TOO_LARGE', 'PRINCIPLE_UNKNOWN', 'DOMAIN_UNKNOWN', 'SCHEMA_INVALID', 'EXAMPLES_CONTRADICT', 'POLICY_INVALID', 'ENTITIES_INVALID',
  'CONSTITUTION_INVALID', 'CONFIG_INVALID', 'FILE_UNREADABLE', 'KEY_INVALID', 'NOT_FOUND', 'UNSUPPORTED_CONSTRUCT',
])

const PROBLEMS_SHOWN = 100

/** A command with what every command has: `--json`, `--quiet`, an example in its help. */
export function newCommand(name: string, description: string, example: string): Command {
  return new Command(name)
    .description(description)
    .option('--json', 'one JSON document on standard output, nothing else')
    .option('--quiet', 'no progress and no explanation, only the exit status and what was asked for')
    .addHelpText('after', `\nExample:\n  ${example}\n\nExit status: 0 yes · 3 a true answer that is no · 4 undetermined · 2 bad input or usage · 1 the operation failed`)
    .showHelpAfterError('(run with --help for an example)')
    .exitOverride()
}

/** A command that only has others under it, with an example in its help. */
export function newGroup(name: string, description: string, example: string): Command {
  return new Command(name)
    .description(description)
    .addHelpText('after', `\nExample:\n  ${example}\n\nEvery command under it has a help of its own: ./acgs ${name} COMMAND --help`)
    .showHelpAfterError(`(run ./acgs ${name} --help for what there is)`)
    .exitOverride()
}

/**
 * Passes when every word that must name a command does; the help, too, is only of what exists.
 *
 * @throws {Failure} `NOT_FOUND` naming the word, and what there is in its place.
 */
export function refuseUnknown(root: Command, args: readonly string[]): void {
  let group = root
  for (const word of args) {
    if (/^(-h|--help|--json|--quiet|help)$/.test(word)) continue
    if (group.commands.length === 0 || word.startsWith('-')) return
    const found = group.commands.find((each) => each.name() === word)
    const path = group === root ? 'acgs' : `acgs ${group.name()}`
    if (found === undefined) throw new Failure('NOT_FOUND', `there is no command \`${word}\` under \`${path}\`: there are ${group.commands.map((each) => each.name()).join(', ')}`)
    group = found
  }
}

/** Prints an answer and leaves with its status. */
export function finish(answer: Answer, options: { json?: boolean; quiet?: boolean }): void {
  if (options.json) write(1, `${JSON.stringify(answer.json, null, 2)}\n`)
  else if (!options.quiet && answer.text !== '') write(1, `${answer.text}\n`)
  if (answer.error !== undefined) write(2, `acgs: ${answer.error}\n`)
  process.exitCode = answer.exit
}

/** Prints why the operation could not be carried out, one sentence and every place, and says with which status to leave. */
export function report(thrown: unknown, options: { json?: boolean }): number {
  const error = thrown instanceof Failure ? thrown : (fileFailure(thrown, process.cwd()) ?? thrown)
  const exit = error instanceof Failure && USAGE.has(error.code) ? EXIT.usage : EXIT.failed
  if (error instanceof Failure) {
    const message = `${error.message}${whyAway(error)}`
    if (options.json) write(1, `${JSON.stringify({ error: { code: error.code, message, problems: error.problems } }, null, 2)}\n`)
    write(2, `acgs: ${message}\n`)
    const isOne = error.problems.length === 1
    const shown = error.problems.filter(({ place, message }) => !error.message.includes(isOne ? message : `${place}: ${message}`))
    for (const { place, message } of shown.slice(0, PROBLEMS_SHOWN)) write(2, `  ${place}: ${message}\n`)
    if (shown.length > PROBLEMS_SHOWN) write(2, `  and ${shown.length - PROBLEMS_SHOWN} more: --json has all of them\n`)
  } else {
    write(2, `acgs: a mistake of ours, please report it: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  }
  return exit
}

/** Why the database does not answer, as the driver says it: whoever types commands may know, and callers over HTTP may not. */
function whyAway({ code, cause, message }: Failure): string {
  if (code !== 'DATABASE_UNAVAILABLE' || !(cause instanceof Error) || cause instanceof Failure) return ''
  const said = cause.message === '' ? String((cause as NodeJS.ErrnoException).code ?? '') : cause.message
  return said === '' || message.includes(said) ? '' : `: ${said}`
}

/** A note on standard error, when someone is watching. */
export function progress(message: string, options: { json?: boolean; quiet?: boolean }): void {
  if (!options.quiet && process.stderr.isTTY) write(2, `${message}\n`)
}

/** Reads a Cedar text from a file: what is wrong is told with the file’s name, line and column, as editors jump to it. @throws {Failure} */
export function readCedar<T>(file: string, read: (text: string) => T): T {
  const name = file === '-' ? 'standard input' : file
  const text = readText(file)
  try {
    return read(text)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const inFile = (said: string) => said.replace(/\b(?:policies|schema) line (\d+) column (\d+)/g, `${name.replaceAll('$', '$$$$')}:$1:$2`)
    throw new Failure(error.code, inFile(error.message), { cause: error, details: error.details, problems: error.problems.map(({ place, message }) => ({ place: place === 'policies' || place === 'schema' ? name : inFile(place), message })) })
  }
}

/** What all of several readings come to. @throws {Failure} with the problems of all that failed. */
export function readAll<const T extends readonly unknown[]>(readings: { readonly [at in keyof T]: () => T[at] }): T {
  const failures: Failure[] = []
  const values = readings.map((read) => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      failures.push(error)
      return null
    }
  })
  const [first, ...others] = failures
  if (first === undefined) return values as unknown as T
  if (others.length === 0) throw first
  throw new Failure(first.code, failures.map(({ message }) => message).join('; '), { cause: first, problems: failures.flatMap(({ problems }) => problems) })
}

/** A file's text, or standard input's for `-`. @throws {Failure} `FILE_UNREADABLE` */
export function readText(file: string): string {
  return readBytes(file).toString('utf8')
}

/**
 * A file's JSON in a schema's form, nothing lost.
 *
 * @param integers `bigint`: an integer beyond 2⁵³ is itself.
 * @throws {Failure} `REQUEST_MALFORMED` with line and column of every place that does not fit.
 */
export function readShaped<S extends z.ZodType>(schema: S, file: string, integers: 'refused' | 'bigint' = 'refused'): z.output<S> {
  const name = file === '-' ? 'standard input' : file
  const bytes = readBytes(file)
  return placed(name, bytes, () => parseInput(schema, parseJson(bytes, name, undefined, integers), name))
}

export function readBytes(file: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : file)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new Failure('FILE_UNREADABLE', `cannot read \`${file}\`: ${code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : message}`, { cause })
  }
}

/** Synchronous, so that nothing is lost when the process leaves while a pipe is full. */
function write(descriptor: 1 | 2, text: string): void {
  const bytes = Buffer.from(text)
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(descriptor, bytes, done)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EPIPE') return
      if (code !== 'EAGAIN') throw error
    }
  }
}

/** As a shell takes it for one word. */
export function quoted(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`
}

/** A number of things in words: `1 entry`, `2 entries`. */
export function counted(n: number, noun: string, nouns = `${noun}s`): string {
  return `${n} ${n === 1 ? noun : nouns}`
}
