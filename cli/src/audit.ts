import { createLogger, createRegistry, flushLog, RELEASE, startOpsServer } from '@streamledger/runtime'
import type { Pool } from 'pg'
import { AuditState } from './audit/audit-state.ts'
import { type AuditConfig, loadAuditConfig } from './audit/config.ts'
import { AuditMetrics } from './audit/metrics.ts'
import { runAudit } from './audit/run-audit.ts'
import type { Command, CommandResult } from './command.ts'
import { EXIT } from './errors.ts'
import { parseInstant } from './parse-instant.ts'
import { TOPIC_FAULTS, type TopicFault } from './reconcile/topic-faults.ts'
import { renderCount, renderQuantity, renderTable } from './render-table.ts'
import { withDatabase } from './with-database.ts'

const HELP = `
Usage: streamledger audit [--since TIME] [--json]

Follows the topic until it is stopped. It compares each event with the ledger, as \`reconcile\` does, and counts the faults
for Prometheus at http://HOST:OPS_PORT/metrics (127.0.0.1:9103). /health/live and /health/ready are on the same port.
${Object.entries(TOPIC_FAULTS)
  .map(([kind, meaning]) => `  ${`streamledger_audit_${kind}_total`.padEnd(39)}${meaning}`)
  .join('\n')}
Each fault is also a log line on stderr, with its wallet and its place in the topic.

It begins with what is posted from now on; with --since it begins earlier. With AUDIT_STATE_FILE it stores its position and
its counts in that file and continues from there at its next start; --since is ignored then. Each audit needs a file of
its own, and one audit is enough for a topic. While Kafka or Postgres is down, it waits. Memory grows by 16 bytes per
wallet. DATABASE_URL must be the primary: a standby may lag and not have the newest transactions yet.
It ends on SIGTERM or Ctrl-C.

Options:
  --since TIME     begin with what was posted at this time or later
TIME is 2026-02-28T06:00:00Z, 2026-02-28 (UTC), or a time span before now: 90m, 24h, 7d.

Environment, in addition to DATABASE_URL and KAFKA_BROKERS (.env.example describes them all):
  AUDIT_STATE_FILE, AUDIT_POLL_MS, AUDIT_SWEEP_MS, AUDIT_GRACE_MS, HOST, OPS_PORT, LOG_LEVEL

Examples:
  streamledger audit                                       from now on
  AUDIT_STATE_FILE=audit.db streamledger audit --since 7d  the first time from a week ago, later from where it stopped`

/** Compares the topic with the ledger, continuously. */
export const audit: Command = {
  name: 'audit',
  summary: 'compares the topic with the ledger continuously, with metrics for Prometheus',
  help: HELP,
  options: { since: { type: 'string' } },
  async run({ options, env, catchStop }) {
    const since = options.since === undefined ? undefined : parseInstant('since', String(options.since))
    const config = loadAuditConfig(env)
    return withDatabase(config.databaseUrl, (pool) => serve(config, pool, { since, signal: catchStop() }))
  },
}

interface Run {
  since: Date | undefined
  /** Aborted when the audit must end. */
  signal: AbortSignal
}

async function serve(config: AuditConfig, pool: Pool, { since, signal }: Run): Promise<CommandResult> {
  const logger = createLogger({ service: 'audit', level: config.logLevel, stream: 'stderr' })
  logger.info({ version: RELEASE, node: process.version }, 'starting')
  const registry = createRegistry('audit')
  const state = new AuditState(config.stateFile)
  let running = false
  const ops = await startOpsServer({ ready: () => running && !signal.aborted, registry }, config.ops)
  try {
    const metrics = new AuditMetrics(registry)
    metrics.tell(state, new Map())
    const onRunning = () => {
      running = true
    }
    await runAudit({ pool, state, metrics, logger, config, onRunning }, since, signal)
    return renderResult(state.counts, (await metrics.events.get()).values[0]?.value ?? 0)
  } finally {
    await ops.close()
    state.close()
    await flushLog(logger)
  }
}

function renderResult(counts: Readonly<Record<TopicFault, number>>, events: number): CommandResult {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const rows = Object.entries(TOPIC_FAULTS).map(([kind, meaning]) => [
    kind,
    renderCount(counts[kind as TopicFault]),
    meaning,
  ])
  return {
    exitCode: total > 0 ? EXIT.faults : EXIT.well,
    json: { command: 'audit', ok: total === 0, events, faults: counts },
    text: [
      renderTable(['fault', 'counted', 'meaning'], rows),
      '',
      `${renderCount(events)} events compared since the start. ${total > 0 ? `${renderQuantity(total, 'fault')} counted: see docs/runbook.md.` : 'No faults.'}`,
    ].join('\n'),
  }
}
