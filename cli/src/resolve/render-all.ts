import type { CommandResult } from '../command.ts'
import { EXIT } from '../errors.ts'
import { quoteForShell } from '../quote-for-shell.ts'
import { renderQuantity, renderTable } from '../render-table.ts'
import { outcomeOf } from './judge-evidence.ts'
import type { Evidence } from './read-evidence.ts'
import type { AllResolved } from './resolve-all.ts'

/** Shows what `relay resolve --all` would do. */
export function renderAllPlanned(found: readonly Evidence[], otherKafka: string | undefined): CommandResult {
  const lanes = found.map((evidence) => ({
    partition: evidence.lane.partition,
    halted_reason: evidence.lane.halted_reason,
    fits: outcomeOf(evidence),
    rows: evidence.batchIds.length + evidence.otherRows,
    rows_in_topic: evidence.publishedIds.length,
    events_without_transaction: evidence.lost.length,
  }))
  const lost = lanes.reduce((sum, lane) => sum + lane.events_without_transaction, 0)
  const rows = lanes.map((lane) => [
    String(lane.partition),
    lane.halted_reason ? 'halted' : 'runs',
    String(lane.rows),
    String(lane.rows_in_topic),
    String(lane.events_without_transaction),
    lane.fits,
  ])
  const advice =
    lost === 0
      ? 'Postgres has every transaction of the topic. Rows that are in the topic are removed from the outbox, the others are published.'
      : `${renderQuantity(lost, 'event')} in the topic belong to transactions that Postgres does not have. If the database was restored: --lost put-back. If another system wrote them: --lost leave.`
  return {
    exitCode: EXIT.failed,
    json: { command: 'relay resolve', ok: false, all: true, lost, other_kafka: otherKafka ?? null, partitions: lanes },
    text: [
      renderTable(['partition', 'state', 'rows', 'in the topic', 'unknown events', 'resolved as'], rows),
      '',
      ...(otherKafka ? [`Is this the right Kafka? ${otherKafka}.`] : []),
      advice,
      'This would pause posting and stop every partition until it is done. Nothing was changed. When you know what happened,',
      'and no other system writes to this topic, run:',
      `  streamledger relay resolve --all${lost > 0 ? ' --lost put-back' : ''} --reason=${quoteForShell('what happened')} --yes`,
    ].join('\n'),
  }
}

/** Shows what `relay resolve --all` has done. */
export function renderAllResolved({ lanes, putBack, orphaned, eventSource }: AllResolved): CommandResult {
  const left = lanes.reduce((sum, { rows_in_topic }) => sum + rows_in_topic, 0)
  return {
    exitCode: EXIT.well,
    json: {
      ...{ command: 'relay resolve', ok: true, all: true, partitions: lanes },
      ...{ put_back: putBack, orphaned, event_source: eventSource ?? null },
    },
    text: [
      `${renderQuantity(lanes.length, 'partition')} resolved; ${renderQuantity(left, 'row')} were in the topic already and were removed from the outbox.`,
      ...(putBack > 0 ? [`${renderQuantity(putBack, 'transaction')} put back into the ledger.`] : []),
      ...(orphaned > 0 ? [`${renderQuantity(orphaned, 'event')} recorded as lost (table orphaned_events).`] : []),
      ...(eventSource ? [`New events have ce_source ${eventSource}: tell the consumers.`] : []),
      'Posting continues, and the relay continues with the partitions by itself. Next, run `streamledger verify` and `streamledger reconcile`.',
    ].join('\n'),
  }
}
