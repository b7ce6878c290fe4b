import { join } from 'node:path'
import type { Config } from '#config'
import packageJson from '../../../package.json' with { type: 'json' }
import { authorize } from '#adapters/cedar/cedar.ts'
import { startOracle } from '#adapters/cedar/oracle-thread.ts'
import { noteFile, signedCheckpointFileOf } from '#adapters/checkpoint-file.ts'
import type { Examiner } from '#adapters/examiner.ts'
import { createApprovalVerifier, type VerifyApproval } from '#adapters/keys/approval.ts'
import { certificateKeyFor, keysIn, keySetFile, publicKeysIn, trustIn } from '#adapters/keys/certificate-key.ts'
import type { Approved } from '#core/revision/approval.ts'
import type { Notice } from '#core/revision/notice.ts'
import type { KeySource } from '#http/authenticate.ts'
import type { Telemetry } from '#telemetry/events.ts'
import { propose, type Read } from '#services/synthesis/propose.ts'
import { bundler } from './bundles.ts'
import { certifier, type Certify } from './certify.ts'
import { checkpointSigner, type SignCheckpoint } from './checkpoint.ts'
import { createDecisionPoint, type DecisionPoint } from './decision-point.ts'
import { follow, FOLLOW_MS, type Follower, type Source } from './follow.ts'
import { oracleFolder } from './oracle-folder.ts'
import { createOracle, type Oracle } from './oracle.ts'
import type { Use as PeerUse } from './peer-routes.ts'
import { stateFolder } from './state-folder.ts'

/** What compliance is made of, in whichever process: what signs, what decides, and what keeps it up to date. */
export type Parts = {
  readonly verifyApproval: VerifyApproval
  readonly point: DecisionPoint
  readonly follower: Follower
  readonly oracle: Oracle
  /** For other processes: whoever asks is not believed. */
  readonly peers: PeerUse
  /** For the same process, whose readings need not be made again. */
  readonly certify: Certify
}

/** Who signs checkpoints; apart from the rest since the ledger begins with it. */
export function checkpointsSignedBy(config: Config): SignCheckpoint {
  const keys = () => publicKeysIn(keySetFile(keysIn(config.service.dataFolder)))
  return checkpointSigner({ signer: certificateKeyFor(config), keys, origin: config.audit.checkpointOrigin, last: noteFile(signedCheckpointFileOf(config)) })
}

/**
 * The parts of compliance, joined to a source of bundles and entities and to the keys of Auth.
 *
 * @throws {Failure} `KEY_INVALID`, `FILE_UNREADABLE`.
 */
export function complianceParts({ config, constitutionalHash, examiner, read, source, report, tokenKeys, telemetry, ending }: {
  config: Config
  constitutionalHash: string
  examiner: Examiner
  /** For who is not believed: reads a text once more. */
  read: Read
  source: Source
  /** The ledger, of what the decision point has to tell. */
  report: (notice: Notice) => Promise<unknown>
  tokenKeys: KeySource
  telemetry: Telemetry
  ending: (() => Promise<unknown>)[]
}): Parts {
  const { service, security, constitutional } = config
  const now = () => new Date()
  const key = certificateKeyFor(config)
  const verifyApproval = createApprovalVerifier({ issuer: security.tokenIssuer, keys: tokenKeys, clockToleranceSeconds: security.clockToleranceSeconds })
  const trusted = { isSignedBy: trustIn(keySetFile(keysIn(service.dataFolder))), approvalOf: (token: string, of: Approved) => verifyApproval(token, of, { at: 'recorded' }) }
  const point = createDecisionPoint()
  const follower = follow({ source, point, state: stateFolder(join(service.dataFolder, 'decision-point')), examiner, ports: trusted, intervalMs: FOLLOW_MS, telemetry, now })
  ending.push(async () => follower[Symbol.asyncDispose]())
  const engine = startOracle()
  const oracle = createOracle({
    perSecond: config.decisions.oraclePerSecond, point, folder: oracleFolder(join(service.dataFolder, 'decision-point')), ask: engine.ask, authorize, report, telemetry, version: packageJson.version, now,
  })
  ending.push(async () => oracle[Symbol.asyncDispose]())
  ending.push(async () => engine[Symbol.asyncDispose]())
  const judging = { examiner, key, constitutionalHash, threshold: constitutional.complianceThreshold, now }
  const certifying = { ...judging, validDays: constitutional.certificateDays, telemetry }
  return {
    verifyApproval, point, follower, oracle,
    certify: certifier({ ...certifying, readAgain: null }),
    peers: {
      parseSchema: examiner.parseSchema,
      certify: certifier({ ...certifying, readAgain: (unit, bound) => propose(unit, bound, read) }),
      bundle: bundler({ ...judging, ...trusted, validDays: constitutional.bundleDays, seen: follower.seen, isRevoked: follower.isRevoked }),
    },
  }
}
