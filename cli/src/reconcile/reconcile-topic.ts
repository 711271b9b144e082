import { describeOther } from '../read-topic-row.ts'
import { Comparison, type ComparisonDeps, type Reading } from './comparison.ts'
import { type LedgerHorizon, readHorizon } from './ledger-horizon.ts'
import { readEnds } from './relay-state.ts'
import type { TopicFaultLog } from './topic-faults.ts'
import { type Asked, CLOCK_SKEW_MS, findStarts, type PartitionStart } from './topic-range.ts'

interface Unjudged {
  partition: number
  /** Transactions created before this time cannot be compared. */
  before: string
  transactions: number
}

export interface Reconciliation {
  faults: TopicFaultLog
  readings: readonly Reading[]
  events: number
  /** Rows that were in the outbox at the start. */
  waiting: number
  /** Transactions that cannot be compared because retention has removed events. */
  unjudged: Unjudged[]
  notes: string[]
  /** A later comparison that begins at this time leaves nothing out. */
  nextSince: Date
}

/** Compares the topic with the ledger: every transaction that has left the outbox must be one event, in order. */
export async function reconcileTopic(deps: ComparisonDeps, asked: Asked): Promise<Reconciliation> {
  const { pool, log, topic, onProgress } = deps
  const { rows: clock } = await pool.query<{ now: Date }>('select now()')
  const other = describeOther(topic, await log.identity())
  const starts = await findStarts(log, topic, asked)
  const partitions = new Set(starts.map(({ partition }) => partition))
  const horizon = await readHorizon(pool, topic, {
    partitions,
    floors: new Map(starts.flatMap(({ partition, floor }) => (floor ? [[partition, floor] as const] : []))),
    until: asked.until,
    onProgress: (wallets) => onProgress(() => `${wallets.toLocaleString('en')} wallets read`),
  })
  const { ends, notes } = await readEnds(pool, log, partitions)
  const comparison = new Comparison(deps, horizon, starts)
  if (asked.until) {
    await comparison.readTo(await findLimits(deps, asked.until, ends))
    // A transaction may be published much later than it was posted: if one is missing, the rest is read too.
    if (comparison.hasMissing()) await comparison.readTo(ends)
  } else await comparison.readTo(ends)
  comparison.addMissing()
  return {
    faults: comparison.faults,
    readings: comparison.readings,
    events: comparison.events,
    waiting: horizon.waitingRows,
    unjudged: starts.filter(({ truncated }) => truncated).map((start) => describeUnjudged(start, horizon)),
    notes: [...(other ? [other] : []), ...notes, ...describeOrphaned(comparison.orphaned)],
    nextSince: findNextSince(horizon, asked, clock[0]?.now as Date),
  }
}

async function findLimits({ log }: ComparisonDeps, until: Date, ends: ReadonlyMap<number, number>) {
  const offsets = await log.offsetsAt(new Date(until.getTime() + CLOCK_SKEW_MS), new Set(ends.keys()))
  return new Map([...ends].map(([partition, end]) => [partition, Math.min(end, offsets.get(partition) ?? end)]))
}

function describeOrphaned(count: number): string[] {
  if (count === 0) return []
  return [`${count.toLocaleString('en')} events belong to transactions that this ledger lost when it was restored; \`relay resolve\` has recorded them, and they are not faults`] // biome-ignore format: one line
}

function describeUnjudged({ partition, floor }: PartitionStart, { below }: LedgerHorizon): Unjudged {
  return { partition, before: (floor as Date).toISOString(), transactions: below.get(partition) ?? 0 }
}

/** Everything posted later, and everything that waited in the outbox, was not compared this time. */
function findNextSince({ waitingSince }: LedgerHorizon, { until }: Asked, now: Date): Date {
  const instants = [now, waitingSince, until].flatMap((instant) => (instant ? [instant.getTime()] : []))
  return new Date(Math.min(...instants) - CLOCK_SKEW_MS)
}
