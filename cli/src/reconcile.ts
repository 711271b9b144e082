import type { Command, CommandResult, OptionValues } from './command.ts'
import { loadStreamConfig } from './config.ts'
import { CliError, EXIT, type ExitCode } from './errors.ts'
import { parseInstant } from './parse-instant.ts'
import { readTopicRow } from './read-topic-row.ts'
import { openTopicLog } from './reconcile/open-topic-log.ts'
import { type Reconciliation, reconcileTopic } from './reconcile/reconcile-topic.ts'
import { TOPIC_FAULTS, type TopicFault } from './reconcile/topic-faults.ts'
import type { Asked } from './reconcile/topic-range.ts'
import { renderFaults } from './render-faults.ts'
import { renderCount, renderDuration, renderQuantity, renderTable } from './render-table.ts'
import { withDatabase } from './with-database.ts'

const HELP = `
Usage: streamledger reconcile [--since TIME] [--until TIME] [--partition N] [--json] [--progress]

Reads the topic as a read_committed consumer, from its beginning to its end at the time of the start, and compares each
event with the ledger in Postgres:
${Object.entries(TOPIC_FAULTS)
  .map(([kind, meaning]) => `  ${kind.padEnd(14)}${meaning}`)
  .join('\n')}

A transaction whose outbox row still exists is waiting, not missing. Events that retention has removed from the topic
cannot be compared: the output names them, and the exit code is 2. Use --since to compare only what is still there.

It changes nothing, joins no consumer group, and may run while the system is busy. Memory grows by a few bytes per wallet.
DATABASE_URL must be the primary: a standby may lag and not have the newest transactions yet.

Options:
  --since TIME     only transactions posted at this time or later
  --until TIME     only transactions posted before this time
  --partition N    only this partition of the topic, and the users that belong to it
TIME is 2026-02-28T06:00:00Z, 2026-02-28 (UTC), or a time span before now: 90m, 24h, 7d.

Examples:
  streamledger reconcile                        is every transaction in the topic, exactly once?
  streamledger reconcile --since 24h            only the last day, for example from a cron job
  streamledger reconcile --partition 3          after the halt of one partition
  streamledger reconcile --json | jq .faults    the number of faults of each kind, for a script
  streamledger reconcile --since "$(jq -r .next_since last.json)" --json > next.json
                                                continue where the last comparison ended`

/** Compares the topic with the ledger. */
export const reconcile: Command = {
  name: 'reconcile',
  summary: 'is every transaction in the topic, exactly once and in order?',
  help: HELP,
  options: { since: { type: 'string' }, until: { type: 'string' }, partition: { type: 'string' } },
  async run({ options, env, progress }) {
    const asked = readOptions(options)
    const { databaseUrl, kafka } = loadStreamConfig(env)
    const startedAt = performance.now()
    return withDatabase(databaseUrl, async (pool) => {
      const topic = await readTopicRow(pool)
      const log = await openTopicLog(kafka, topic.name)
      try {
        const onProgress = progress.report
        const reconciliation = await reconcileTopic({ pool, log, topic, onProgress }, asked)
        return renderResult(topic.name, reconciliation, (performance.now() - startedAt) / 1_000)
      } finally {
        await log.close().catch(() => {})
      }
    })
  },
}

function readOptions({ since, until, partition }: OptionValues): Asked {
  const asked = {
    since: since === undefined ? undefined : parseInstant('since', String(since)),
    until: until === undefined ? undefined : parseInstant('until', String(until)),
    partition: partition === undefined ? undefined : parsePartition(String(partition)),
  }
  if (asked.since && asked.until && asked.since >= asked.until) {
    throw new CliError('usage', '--since must be before --until.')
  }
  return asked
}

function parsePartition(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text)
  throw new CliError('usage', `--partition is "${text}"; it must be the number of a partition, such as 0.`)
}

function renderResult(topic: string, reconciliation: Reconciliation, seconds: number): CommandResult {
  const { faults, readings, events, waiting, unjudged, notes, nextSince } = reconciliation
  const ok = faults.total === 0 && unjudged.length === 0
  return {
    exitCode: exitCodeOf(reconciliation),
    json: {
      ...{ command: 'reconcile', ok, topic, events, waiting, faults: faults.counts, examples: faults.examples },
      ...{ unjudged, notes, partitions: readings, next_since: nextSince.toISOString(), seconds },
    },
    text: [
      ...renderTableOf(reconciliation),
      '',
      ...renderFaults(faults),
      ...unjudged.map(
        ({ partition, before, transactions }) =>
          `partition ${partition}: retention has removed the topic's beginning; ${renderQuantity(transactions, 'transaction')} posted before ${before} cannot be compared`,
      ),
      ...notes.map((note) => `note: ${note}`),
      `${renderCount(events)} events of topic ${topic} compared in ${renderDuration(seconds)}; ${renderQuantity(waiting, 'row')} waited in the outbox. ${describeVerdict(reconciliation)}`,
    ].join('\n'),
  }
}

function renderTableOf({ faults }: Reconciliation): string[] {
  const rows = Object.entries(TOPIC_FAULTS).map(([kind, meaning]) => [
    kind,
    renderCount(faults.counts[kind as TopicFault]),
    meaning,
  ])
  return [renderTable(['fault', 'found', 'meaning'], rows)]
}

function exitCodeOf({ faults, unjudged }: Reconciliation): ExitCode {
  if (faults.total > 0) return EXIT.faults
  return unjudged.length > 0 ? EXIT.failed : EXIT.well
}

function describeVerdict({ faults, unjudged }: Reconciliation): string {
  if (faults.total > 0) return `${renderQuantity(faults.total, 'fault')}: see docs/runbook.md.`
  if (unjudged.length === 0) return 'All is well.'
  return 'What is still in the topic is well; use --since to compare only that.'
}
