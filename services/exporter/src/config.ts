import { exportFilesEnv, readExportFilesConfig } from '@streamledger/export-files'
import { parseEnv, serviceEnv } from '@streamledger/runtime'
import { readTracingConfig, tracingEnv } from '@streamledger/tracing'
import Type from 'typebox'

/** The database refuses to delete newer security events: trigger `security_events_kept`. */
const SECURITY_EVENTS_KEPT_D = 90

/** Variables of the exporter. @public */
export const exporterEnv = Type.Object({
  ...serviceEnv,
  ...tracingEnv,
  ...exportFilesEnv,
  OPS_PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 9102,
    description: 'Port of the health checks and metrics.',
  }),
  EXPORTER_CONCURRENCY: Type.Integer({
    minimum: 1,
    maximum: 32,
    default: 2,
    description:
      'Maximum number of exports that one exporter writes at once. Each needs memory for about one page; all share EXPORT_CPU_PERCENT.',
  }),
  EXPORTER_POLL_INTERVAL_MS: Type.Integer({
    minimum: 50,
    maximum: 60_000,
    default: 1_000,
    description: 'Polling interval of an idle exporter for jobs whose notification was missed, in ms.',
  }),
  EXPORTER_HEARTBEAT_MS: Type.Integer({
    minimum: 50,
    maximum: 10_000,
    default: 3_000,
    description: 'Interval of the heartbeat, and of the check for dead exporters, in ms.',
  }),
  EXPORTER_DEAD_AFTER_MS: Type.Integer({
    minimum: 200,
    maximum: 300_000,
    default: 15_000,
    description:
      'Time without a heartbeat after which an exporter counts as dead and others take over its exports, in ms; at least three heartbeats.',
  }),
  EXPORTER_DATABASE_PATIENCE_MS: Type.Integer({
    minimum: 0,
    maximum: 600_000,
    default: 30_000,
    description: 'How long a running export retries while the database is down before its attempt fails, in ms.',
  }),
  EXPORT_S3_PATIENCE_MS: Type.Integer({
    minimum: 0,
    maximum: 600_000,
    default: 30_000,
    description:
      'How long the upload of a finished workbook is retried while S3 is down before its attempt fails, in ms.',
  }),
  EXPORT_PAGE_ROWS: Type.Integer({
    minimum: 1,
    maximum: 10_000,
    default: 1_000,
    description: 'Number of rows read from the database at once. A running export keeps one such page in memory.',
  }),
  EXPORT_CPU_PERCENT: Type.Integer({
    minimum: 5,
    maximum: 1_000,
    default: 50,
    description:
      'CPU limit for all exports of one exporter together, in percent of one core, so that other services on the machine stay fast. 200 is effectively unlimited.',
  }),
  EXPORT_PROGRESS_INTERVAL_MS: Type.Integer({
    minimum: 0,
    maximum: 60_000,
    default: 1_000,
    description:
      'Minimum interval between two updates of the progress of an export, in ms. A cancelled export is also noticed then.',
  }),
  EXPORT_TTL_H: Type.Integer({
    minimum: 1,
    maximum: 8_760,
    default: 168,
    description: 'How long a finished file can be downloaded, in hours.',
  }),
  SECURITY_EVENTS_TTL_D: Type.Integer({
    minimum: SECURITY_EVENTS_KEPT_D,
    maximum: 3_650,
    default: 400,
    description:
      'How long security events (log-ins, failed log-ins, downloads, with their IP addresses) are kept, in days.',
  }),
})

export type ExporterConfig = ReturnType<typeof loadExporterConfig>

export function loadExporterConfig(env: NodeJS.ProcessEnv) {
  const vars = parseEnv(exporterEnv, env)
  if (vars.EXPORTER_DEAD_AFTER_MS < 3 * vars.EXPORTER_HEARTBEAT_MS) {
    // Otherwise an exporter would count as dead after one late heartbeat.
    throw new Error('configuration: EXPORTER_DEAD_AFTER_MS must be at least three times EXPORTER_HEARTBEAT_MS')
  }
  return {
    logLevel: vars.LOG_LEVEL,
    drainTimeoutMs: vars.DRAIN_TIMEOUT_MS,
    tracing: readTracingConfig(vars, 'exporter'),
    ops: { host: vars.HOST, port: vars.OPS_PORT },
    database: {
      url: vars.DATABASE_URL,
      statementTimeoutMs: vars.STATEMENT_TIMEOUT_MS,
      startTimeoutMs: vars.DATABASE_START_TIMEOUT_MS,
      patienceMs: vars.EXPORTER_DATABASE_PATIENCE_MS,
    },
    worker: {
      concurrency: vars.EXPORTER_CONCURRENCY,
      pollIntervalMs: vars.EXPORTER_POLL_INTERVAL_MS,
      // A running export may finish in the first half of a drain; the second half is for handing it back.
      abortAfterMs: Math.floor(vars.DRAIN_TIMEOUT_MS / 2),
    },
    recovery: { heartbeatMs: vars.EXPORTER_HEARTBEAT_MS, deadAfterMs: vars.EXPORTER_DEAD_AFTER_MS },
    files: { ...readExportFilesConfig(vars), patienceMs: vars.EXPORT_S3_PATIENCE_MS },
    exports: {
      pageRows: vars.EXPORT_PAGE_ROWS,
      cpuPercent: vars.EXPORT_CPU_PERCENT,
      progressIntervalMs: vars.EXPORT_PROGRESS_INTERVAL_MS,
      ttlH: vars.EXPORT_TTL_H,
    },
    securityEvents: { ttlD: vars.SECURITY_EVENTS_TTL_D },
  } as const
}
