import { kafkaEnv, readKafkaAccess } from '@streamledger/kafka'
import { parseEnv, serviceEnv } from '@streamledger/runtime'
import Type from 'typebox'
import { explainConfiguration } from '../config.ts'

/** Variables of `streamledger audit`. It runs as long as the services, and is configured like them. @public */
export const auditEnv = Type.Object({
  DATABASE_URL: serviceEnv.DATABASE_URL,
  HOST: serviceEnv.HOST,
  LOG_LEVEL: serviceEnv.LOG_LEVEL,
  ...kafkaEnv,
  OPS_PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 9103,
    description: 'Port of health checks and metrics.',
  }),
  AUDIT_STATE_FILE: Type.Optional(
    Type.String({
      description:
        'File for the state of the audit, so that it continues where it stopped. Without it, each start begins anew.',
    }),
  ),
  AUDIT_POLL_MS: Type.Integer({
    minimum: 50,
    maximum: 60_000,
    default: 1_000,
    description: 'How often the audit looks for new events after it has read all of them, in ms.',
  }),
  AUDIT_SWEEP_MS: Type.Integer({
    minimum: 100,
    maximum: 3_600_000,
    default: 10_000,
    description: 'Shortest time between two searches of the ledger for transactions without an event, in ms.',
  }),
  AUDIT_GRACE_MS: Type.Integer({
    minimum: 0,
    maximum: 3_600_000,
    default: 15_000,
    description:
      'How long an event may be unreadable in the topic after its row has left the outbox, in ms; later it counts as missing.',
  }),
})

export type AuditConfig = ReturnType<typeof loadAuditConfig>

/** @throws CliError `configuration` that names every missing or wrong variable. */
export function loadAuditConfig(env: NodeJS.ProcessEnv) {
  const vars = explainConfiguration(() => parseEnv(auditEnv, env))
  return {
    databaseUrl: vars.DATABASE_URL,
    kafka: explainConfiguration(() => readKafkaAccess(vars)),
    logLevel: vars.LOG_LEVEL,
    ops: { host: vars.HOST, port: vars.OPS_PORT },
    stateFile: vars.AUDIT_STATE_FILE,
    pollMs: vars.AUDIT_POLL_MS,
    sweep: { intervalMs: vars.AUDIT_SWEEP_MS, graceMs: vars.AUDIT_GRACE_MS },
  } as const
}
