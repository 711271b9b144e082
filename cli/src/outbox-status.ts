import type { Command, CommandResult, OptionValues } from './command.ts'
import { loadDatabaseConfig } from './config.ts'
import { CliError, EXIT } from './errors.ts'
import { findLaneFaults, type LaneFault } from './outbox/find-lane-faults.ts'
import { type LaneStatus, type OutboxState, readOutboxState } from './outbox/read-outbox-state.ts'
import { renderCount, renderDuration, renderQuantity, renderTable } from './render-table.ts'
import { withDatabase } from './with-database.ts'

const MAX_AGE_S = 60

const HELP = `
Usage: streamledger outbox status [--max-age SECONDS] [--json]

Shows each partition of the outbox: the number of waiting rows, the age of the oldest one, the relay that holds the lease,
the open batch (its rows may be in the topic already), and whether the partition is halted.

A fault is a partition that is
  halted    the relay could not decide which rows are published: see docs/runbook.md, "A partition is halted"
  stalled   its oldest row has waited longer than --max-age
  unheld    rows wait, and no running relay holds its lease: are enough relays running?
  unknown   rows wait in a partition that relays do not know

Options:
  --max-age SECONDS    how long a row may wait before it is a fault; default ${MAX_AGE_S}

Examples:
  streamledger outbox status                     is anything stuck, and where?
  streamledger outbox status --max-age 5         the same, with a limit of 5 seconds
  watch -n 2 streamledger outbox status          while a backlog drains
  streamledger outbox status --json | jq '.partitions[] | select(.faults != [])'`

/** The state of the outbox and of the relay's partitions. */
export const outboxStatus: Command = {
  name: 'outbox status',
  summary: 'what waits to be published, since when, and which relay publishes it?',
  help: HELP,
  options: { 'max-age': { type: 'string' } },
  async run({ options, env }) {
    const maxAgeS = readMaxAge(options)
    const { databaseUrl } = loadDatabaseConfig(env)
    const state = await withDatabase(databaseUrl, readOutboxState)
    return renderResult(state, findLaneFaults(state, maxAgeS))
  },
}

function readMaxAge({ 'max-age': text }: OptionValues): number {
  if (text === undefined) return MAX_AGE_S
  const seconds = Number(text)
  if (seconds > 0 && Number.isFinite(seconds)) return seconds
  throw new CliError('usage', `--max-age is "${text}"; it must be a number of seconds, such as 60.`)
}

function renderResult(state: OutboxState, faults: LaneFault[]): CommandResult {
  const { lanes, relays, topic, paused, paused_reason } = state
  const ok = faults.length === 0
  const rows = lanes.reduce((sum, lane) => sum + lane.rows, 0)
  const oldest_s = Math.max(0, ...lanes.map((lane) => lane.oldest_s ?? 0))
  const totals = {
    rows,
    oldest_s: rows > 0 ? oldest_s : null,
    halted: lanes.filter(({ halted }) => halted).length,
    relays,
  }
  const partitions = lanes.map((lane) => ({
    ...lane,
    faults: faults.filter(({ partition }) => partition === lane.partition).map(({ kind }) => kind),
  }))
  const age = rows > 0 ? `, the oldest for ${renderDuration(oldest_s)}` : ''
  const summary = `${renderQuantity(rows, 'row')} of topic ${topic} in the outbox${age}; ${renderQuantity(relays, 'relay')} alive.`
  return {
    exitCode: ok ? EXIT.well : EXIT.faults,
    json: { command: 'outbox status', ok, topic, paused, paused_reason, totals, faults, partitions },
    text: [
      renderTable(
        ['partition', 'rows', 'oldest', 'open batch', 'lease', 'state'],
        lanes.map((lane) => renderLane(lane, faults)),
      ),
      '',
      ...faults.map(({ message }) => message),
      ...(paused ? [`Posting is paused: ${paused_reason ?? 'no reason is recorded'}.`] : []),
      `${summary} ${ok ? 'All is well.' : `${renderQuantity(faults.length, 'fault')}.`}`,
    ].join('\n'),
  }
}

function renderLane(lane: LaneStatus, faults: readonly LaneFault[]): string[] {
  const { partition, rows, oldest_s, open_batch, lease } = lane
  const kinds = faults.filter((fault) => fault.partition === partition).map(({ kind }) => kind)
  return [
    String(partition),
    renderCount(rows),
    oldest_s === null ? '–' : renderDuration(oldest_s),
    open_batch ? renderBatch(open_batch) : '–',
    lease ? `${lease.owner.slice(0, 8)}${lease.expired ? ', expired' : ''}` : 'none',
    kinds.length > 0 ? kinds.join(', ') : 'well',
  ]
}

function renderBatch({ seq, rows, oldest_s }: NonNullable<LaneStatus['open_batch']>): string {
  return `${seq}: ${renderQuantity(rows, 'row')}${oldest_s === null ? '' : `, ${renderDuration(oldest_s)} old`}`
}
