import type { Command } from 'commander'
import { existsSync } from 'node:fs'
import { keysIn, keySetFile, trustIn } from '#adapters/keys/certificate-key.ts'
import { parsePolicies, parseSchema } from '#adapters/cedar/cedar.ts'
import { createProver } from '#adapters/solver/prover.ts'
import { readConfig } from '#config'
import { canonical } from '#core/canonical.ts'
import { verify } from '#core/certificate/verify.ts'
import { bind } from '#core/constitution/bind.ts'
import { parseConstitution } from '#core/constitution/constitution.ts'
import { Failure } from '#core/failure.ts'
import { getCertificateStatus } from '#services/platform/revision-contract.ts'
import { pathOf } from './service.ts'
import { EXIT, counted, finish, newCommand, progress, readBytes } from './terminal.ts'

type Options = { offline?: boolean; trust?: string; data?: string; config?: string; json?: boolean; quiet?: boolean }

export function command(): Command {
  return newCommand('verify', 'a certificate: signature, digests, and every proof run again', './acgs verify out/clinic/certificate.json')
    .argument('<certificate>', 'the file; it needs no other beside it')
    .option('--offline', 'do not ask the platform whether it was revoked')
    .option('--trust <keys>', 'public keys of the issuer; without it, those of the data folder')
    .option('--data <dir>', 'the data folder')
    .option('--config <file>', 'another configuration file')
    .action(async (certificate: string, options: Options) => finish(await run(certificate, options), options))
}

async function run(certificate: string, options: Options) {
  const config = readConfig({ file: options.config ?? null, env: process.env, dataFolder: options.data })
  const trust = options.trust ?? keySetFile(keysIn(config.service.dataFolder))
  if (options.trust === undefined && !existsSync(trust)) {
    throw new Failure('FILE_UNREADABLE', `there are no keys to trust in ${config.service.dataFolder}: give the issuer’s public keys with --trust KEYS.json, or the data folder with --data`)
  }
  const file = readBytes(certificate)
  await using prover = createProver({ rlimit: config.generationEngine.proofRlimit, timeoutMs: config.generationEngine.proofTimeoutMs })
  progress('checking the signature and running the proofs again …', options)
  const { valid, checks, statement } = await verify(file, {
    isSignedBy: trustIn(trust),
    parseSchema,
    parse: parsePolicies,
    bind: (document, schema) => bind(parseConstitution(canonical(document)), schema),
    proveArticles: prover.proveArticles,
    at: new Date(),
  })
  const id = checks.find(({ name }) => name === 'id')?.detail
  const revocation = valid && options.offline !== true && id !== undefined ? await askRevocation(id, config.services.platformUrl) : 'not asked'
  const isValid = valid && revocation !== 'revoked'
  const count = (prefix: string) => checks.filter(({ name }) => name.startsWith(prefix)).length
  const failed = checks.filter(({ ok }) => !ok)
  const text = isValid
    ? `valid: signature, ${counted(count('digest '), 'digest')}, ${counted(count('proof '), 'proof')} run again; ${SAID[revocation]}`
    : valid ? `not valid: revoked, as the platform at ${config.services.platformUrl} says`
    : `not valid: ${failed.map(({ name, detail }) => (detail === '' || detail === 'not valid' ? name : `${name}: ${detail}`)).join('; ')}`
  const constitution = statement?.predicate.constitution
  return {
    json: { valid: isValid, checks, revocation, ...(constitution === undefined ? {} : { constitutional_hash: constitution.hash, constitutional_digest: constitution.digest }) },
    text,
    exit: isValid ? EXIT.yes : EXIT.no,
  }
}

const SAID = {
  'not asked': 'revocation was not asked for',
  'not revoked': 'not revoked',
  'not known': 'the platform does not know it, so it may be revoked elsewhere',
  'no answer': 'whether it was revoked is not known: the platform does not answer',
} as const

/** Whether the platform says that a certificate was revoked; a platform that is not there is no proof of anything, and said. */
async function askRevocation(id: string, platformUrl: string): Promise<keyof typeof SAID | 'revoked'> {
  try {
    const response = await fetch(`${platformUrl}${pathOf(getCertificateStatus.path, { id })}`, { signal: AbortSignal.timeout(2_000), redirect: 'error' })
    if (response.status === 404) return 'not known'
    const reply = getCertificateStatus.reply.safeParse(await response.json())
    return !response.ok || !reply.success ? 'no answer' : reply.data.revoked ? 'revoked' : 'not revoked'
  } catch {
    return 'no answer'
  }
}
