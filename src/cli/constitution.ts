import { createPrivateKey } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { stringify } from 'yaml'
import { readConfig } from '#config'
import { loadConstitution, loadDraft, type ConstitutionInForce } from '#adapters/constitution.ts'
import { INHERITED_ID } from '#core/constitution/inherited.ts'
import { importCheck, ratify } from '#core/constitution/ratification.ts'
import { Failure } from '#core/failure.ts'
import { EXIT, finish, newCommand, newGroup, readBytes, readText } from './terminal.ts'

type Options = { constitution?: string; config?: string; json?: boolean; quiet?: boolean }

export function command(): Command {
  const group = newGroup('constitution', 'the constitution: what it says, whether it may be enforced, how another is put into force', './acgs constitution show')
  const sub = (name: string, description: string, example: string) =>
    newCommand(name, description, example).option('--constitution <file>', 'another document than the one in force').option('--config <file>', 'another configuration file')

  group.addCommand(
    sub('show', 'principles and articles', './acgs constitution show').action((options: Options) => {
      const { constitution, shown, ratification } = inForce(options)
      const articles = constitution.clauses.map(({ id, principle, kind, hard, weight, text }) => ({ id, principle, kind, hard, weight, text }))
      const lines = constitution.principles.flatMap((principle) => [
        '',
        `${principle.title} (${principle.id})  ${principle.text}`,
        ...articles.filter((article) => article.principle === principle.id).map((article) => `  ${article.id}  ${article.kind}, ${article.hard ? 'hard' : 'soft'}\n      ${article.text}`),
      ])
      finish({
        json: { title: constitution.title, version: constitution.version, constitutional_hash: shown.hash, constitutional_digest: shown.digest, principles: constitution.principles, articles, ratification },
        text: [`${constitution.title}, version ${constitution.version}`, described({ constitution, shown, ratification }), ...lines].join('\n'),
        exit: EXIT.yes,
      }, options)
    }),
  )

  group.addCommand(
    sub('hash', 'the 16-digit id and the full digest', './acgs constitution hash').action((options: Options) => {
      const { shown } = inForce(options)
      finish({ json: { constitutional_hash: shown.hash, constitutional_digest: shown.digest, inherited: shown.isInherited }, text: `${shown.hash}${shown.isInherited ? ' (inherited id)' : ''}  sha256 ${shown.digest}`, exit: EXIT.yes }, options)
    }),
  )

  group.addCommand(
    sub('check', 'whether document, ratification record and CONSTITUTIONAL_HASH agree', './acgs constitution check').action((options: Options) => {
      try {
        const found = inForce(options)
        finish({ json: { valid: true, constitutional_hash: found.shown.hash, constitutional_digest: found.shown.digest }, text: `valid: ${described(found)}`, exit: EXIT.yes }, options)
      } catch (error) {
        if (!(error instanceof Failure) || (error.code !== 'CONSTITUTION_MISMATCH' && error.code !== 'CONSTITUTION_INVALID')) throw error
        finish({ json: { valid: false, because: error.message, problems: error.problems }, text: `not valid: ${error.message}`, exit: EXIT.no }, options)
      }
    }),
  )

  group.addCommand(
    newCommand('import', 'check a text against the inherited id, which digests the ratified ACGS-1 source text', './acgs constitution import --source acgs-1.txt')
      .requiredOption('--source <file>', 'the text')
      .action((options: Options & { source: string }) => {
        const { isInherited, digest, bytes, expected } = importCheck(readBytes(options.source))
        finish({
          json: { inherited: isInherited, digest, bytes, expected },
          text: isInherited ? `this is the ratified source text: sha256 ${digest}` : `this is not the ratified source text: it has ${bytes} bytes and sha256 ${digest}, expected are ${expected.bytes} bytes and a digest that begins with ${INHERITED_ID}`,
          exit: isInherited ? EXIT.yes : EXIT.no,
        }, options)
      }),
  )

  group.addCommand(
    newCommand('ratify', 'sign a record that puts a document into force under its own digest', './acgs constitution ratify --constitution mine.yaml --key council.pem --by "The council" --out mine.ratification.yaml')
      .requiredOption('--constitution <file>', 'the document')
      .requiredOption('--key <file>', 'Ed25519 private key, PEM')
      .requiredOption('--by <name>', 'who ratifies')
      .option('--at <date>', 'the day, YYYY-MM-DD', new Date().toISOString().slice(0, 10))
      .option('--out <file>', 'where the record goes; standard output without it')
      .action((options: Options & { constitution: string; key: string; by: string; at: string; out?: string }) => {
        const { constitution } = loadDraft(options.constitution)
        const record = ratify(constitution, { name: options.by, at: options.at, privateKey: privateKey(options.key) })
        const yaml = stringify(record)
        if (options.out !== undefined) writeFileSync(options.out, yaml)
        const next = `to enforce it: CONSTITUTIONAL_HASH=${record.id} ACGS_CONSTITUTIONAL_DOCUMENT=${options.constitution} ACGS_CONSTITUTIONAL_RATIFICATION=${options.out ?? 'RECORD'}`
        finish({ json: record, text: options.out === undefined ? yaml.trimEnd() : `wrote ${options.out}\n${next}`, exit: EXIT.yes }, options)
      }),
  )
  return group
}

function inForce(options: Options): ConstitutionInForce {
  if (options.constitution !== undefined) return loadDraft(options.constitution)
  const { constitutional } = readConfig({ file: options.config ?? null, env: process.env })
  return loadConstitution(constitutional, constitutional.hash)
}

function described({ constitution, shown, ratification }: ConstitutionInForce): string {
  const id = `constitution ${shown.hash}${shown.isInherited ? ' (inherited id)' : ''}   ${constitution.clauses.length} articles   sha256 ${shown.digest}`
  return ratification === null ? `${id}   not ratified` : `${id}   ratified by ${ratification.ratified_by} on ${ratification.ratified_at}`
}

function privateKey(file: string) {
  try {
    const key = createPrivateKey(readText(file))
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch (cause) {
    if (cause instanceof Failure) throw cause
  }
  throw new Failure('KEY_INVALID', `\`${file}\` is not an Ed25519 private key in PEM form: make one with \`openssl genpkey -algorithm ed25519 -out ${file}\``)
}
