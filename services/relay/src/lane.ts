import { backOffMs, type Logger, sleep } from '@streamledger/runtime'
import type { Doorbell, Pace } from './doorbell.ts'
import type { RelayMetrics } from './metrics.ts'
import { ForeignRowsError, type Lane, type Outbox } from './outbox.ts'
import type { PartitionLease } from './partition-lease.ts'
import type { Batch, Kafka, Publisher } from './publisher.ts'
import { judge, type Verdict } from './recovery.ts'

export interface LaneDeps {
  outbox: Outbox
  kafka: Kafka
  logger: Logger
  metrics: RelayMetrics
  batch: { rowsMax: number; bytesMax: number }
  pace: Pace
  /** How long a receipt may lag behind before that is taken for the truth, in ms. */
  receiptPatienceMs: number
}

/** A lease as its lane sees it. */
export interface HeldLease extends PartitionLease {
  bell: Doorbell
  /** The receipt must be written for its own sake before Kafka forgets it. */
  receiptStale: boolean
  /** Tells that a step begins: a lane that is stuck in one loses its lease. */
  progressed(): void
  /** Tells that the lane only waits, for rows or for better times: that is nothing to be stuck in. */
  resting(): void
}

/** Where a lane stands between two batches. */
interface Position {
  publisher: Publisher
  batchSeq: number
  nextOffset: number | undefined
  /** A batch is published and not yet confirmed in Postgres. */
  unconfirmed: boolean
}

/** What a lane remembers from one recovery to the next. */
interface Doubt {
  /** Since when Kafka has shown less than Postgres intended, by performance.now(). */
  behindSince: number | undefined
}

/**
 * Kafka shows less than it may know. After an unclean restart a broker answers for a group, without an error, before it
 * has loaded all of its offsets (seen with Apache Kafka 4.4.0: for half a second, receipts hundreds of batches old, or
 * none). Waiting loses nothing; halting, or publishing again, on such an answer would.
 */
class ReceiptBehindError extends Error {
  override name = 'ReceiptBehindError'
}

/** The partition is stopped, in Postgres too; or it is not ours any more. Nothing to retry. */
class LaneEndedError extends Error {
  override name = 'LaneEndedError'
}

const RECOVERY_BACK_OFF = { baseMs: 50, maxMs: 5_000 }
/** An idle lane confirms its last batch after this long, so that the rows do not wait in the table for the next event. */
const CONFIRM_AFTER_MS = 250
/** An idle lane looks by itself this often, should a ring ever be missed. */
const IDLE_MS = 5_000
/** A batch of this many rows shows a partition that is busy enough to linger. */
const BUSY_ROWS = 20

/** Publishes one partition's rows until aborted, then confirms and lets go. Returns when the lane has ended. */
export async function runLane(deps: LaneDeps, lease: HeldLease, signal: AbortSignal): Promise<void> {
  let position: Position | undefined // none: whatever was sent before is in doubt
  let failures = 0
  const doubt: Doubt = { behindSince: undefined }
  while (!signal.aborted) {
    try {
      position ??= await recover(deps, lease, doubt)
      doubt.behindSince = undefined
      const rows = await relayOnce(deps, lease, position)
      failures = 0
      lease.resting()
      await rest(deps, lease, position, rows, signal)
      lease.progressed()
    } catch (error) {
      lease.progressed()
      await position?.publisher.discard()
      position = undefined
      if (error instanceof LaneEndedError) return
      failures += 1
      deps.metrics.doubts.inc()
      deps.logger.warn({ err: error, partition: lease.partition, failures }, 'outcome unknown, recovering')
      lease.resting()
      await sleep(backOffMs(failures, RECOVERY_BACK_OFF), signal)
      lease.progressed()
    }
  }
  await finish(deps, lease, position)
}

/** Intends one batch, which confirms the one before, and publishes it. Returns its number of rows. */
export async function relayOnce(
  deps: LaneDeps,
  lease: HeldLease,
  position: Position,
  rowsMax = deps.batch.rowsMax,
): Promise<number> {
  if (lease.receiptStale && !position.unconfirmed) await writeReceipt(deps, lease, position)
  const { partition, token } = lease
  const { batchSeq, nextOffset } = position
  const { bytesMax } = deps.batch
  const batch = await deps.outbox
    .intend({ partition, token, batchSeq, nextOffset, rowsMax, bytesMax })
    .catch((error) => haltForeignRows(deps, lease, position, error))
  position.unconfirmed = false
  position.batchSeq = batch.seq
  if (batch.rows.length === 0) return 0

  lease.progressed()
  await publish(deps, position, batch)
  return batch.rows.length
}

async function publish({ metrics }: LaneDeps, position: Position, batch: Batch): Promise<void> {
  const receipt = await position.publisher.publish(batch)
  position.nextOffset = receipt.offset
  position.unconfirmed = true
  metrics.published.inc(batch.rows.length)
  metrics.batches.inc()
}

/** Fences whoever wrote before, then settles what became of the stored batch. */
async function recover(deps: LaneDeps, lease: HeldLease, doubt: Doubt): Promise<Position> {
  const { outbox, kafka } = deps
  const publisher = await kafka.openPublisher(lease.partition)
  try {
    lease.progressed()
    // Only now: what was read before the fence could be overtaken by the one who is fenced.
    const lane = await outbox.readLane(lease.partition, lease.token)
    if (!lane) throw new LaneEndedError('the lease went to another replica')
    const verdict = judge(lane, await kafka.readReceipt(lease.partition))
    lease.progressed()
    return await settle(deps, lease, lane, { verdict, doubt, publisher })
  } catch (error) {
    await publisher.discard()
    throw error
  }
}

async function settle(
  deps: LaneDeps,
  lease: HeldLease,
  lane: Lane,
  { verdict, doubt, publisher }: { verdict: Verdict; doubt: Doubt; publisher: Publisher },
): Promise<Position> {
  const position: Position = {
    publisher,
    batchSeq: lane.batchSeq,
    nextOffset: lane.nextOffset,
    unconfirmed: lane.batch !== undefined,
  }
  switch (verdict.kind) {
    case 'go_on':
      position.nextOffset = verdict.nextOffset
      return position
    case 'write_receipt':
      await writeReceipt(deps, lease, position)
      return position
    case 'publish_again':
      await publishAgain(deps, lease, lane, { from: verdict.from, doubt, position })
      return position
    case 'halt':
      if (verdict.behind) beIn(doubt, verdict.reason, deps.receiptPatienceMs)
      return halt(deps, lease, lane.batchSeq, verdict.reason)
  }
}

/** Publishes the open batch a second time, after the topic itself has confirmed that the first time left nothing. */
async function publishAgain(
  deps: LaneDeps,
  lease: HeldLease,
  lane: Lane,
  { from, doubt, position }: { from: number; doubt: Doubt; position: Position },
): Promise<void> {
  const { outbox, kafka, logger } = deps
  const { partition, batchSeq, batch } = lane
  if (!batch) throw new Error('there is no open batch to publish again')
  const end = await kafka.readEndOffset(partition)
  // The batch would take its rows and a control record. With room for it (an aborted attempt leaves some), look.
  const hasRoom = end >= from + batch.rows + 1
  if (hasRoom && (await kafka.containsBatch(partition, batch.batchId, { from, to: end }))) {
    const reason = `batch ${batchSeq} is in the topic and its receipt is not in the group`
    beIn(doubt, reason, deps.receiptPatienceMs)
    return halt(deps, lease, batchSeq, reason)
  }
  lease.progressed()
  const rows = await outbox.readOpenBatch(partition, lease.token, batchSeq)
  if (rows.length !== batch.rows) {
    return halt(deps, lease, batchSeq, `batch ${batchSeq} had ${batch.rows} rows and now has ${rows.length}`)
  }
  await publish(deps, position, { seq: batchSeq, batchId: batch.batchId, rows })
  logger.info({ partition, batchSeq, rows: rows.length }, 'open batch was not in Kafka, published')
}

/** @throws ReceiptBehindError until the doubt has lasted: then what Kafka shows is what it knows. */
function beIn(doubt: Doubt, reason: string, patienceMs: number): void {
  const now = performance.now()
  doubt.behindSince ??= now
  if (now - doubt.behindSince < patienceMs) throw new ReceiptBehindError(reason)
}

async function writeReceipt({ outbox }: LaneDeps, lease: HeldLease, position: Position): Promise<void> {
  const { offset } = await position.publisher.writeReceipt(position.batchSeq)
  position.nextOffset = offset
  await outbox.noteReceipt(lease.partition, lease.token, offset)
  lease.receiptStale = false
}

async function halt(
  { outbox, logger, metrics }: LaneDeps,
  lease: HeldLease,
  batchSeq: number,
  reason: string,
): Promise<never> {
  const { partition, token } = lease
  if (await outbox.halt(partition, token, batchSeq, reason)) {
    metrics.halts.inc()
    logger.error({ partition, reason }, 'partition halted: what is published cannot be decided; see docs/runbook.md')
  }
  throw new LaneEndedError(`partition ${partition} is halted`)
}

function haltForeignRows(deps: LaneDeps, lease: HeldLease, { batchSeq }: Position, error: unknown): Promise<never> {
  if (error instanceof ForeignRowsError) return halt(deps, lease, batchSeq, error.message)
  throw error
}

/** After a full batch not at all, after a good one the linger, and when nothing waits, until the bell rings. */
async function rest(
  { batch, pace }: LaneDeps,
  lease: HeldLease,
  position: Position,
  rows: number,
  signal: AbortSignal,
): Promise<void> {
  if (rows >= batch.rowsMax) return
  if (rows >= BUSY_ROWS) await sleep(pace.lingerMs, signal)
  else await lease.bell.wait(position.unconfirmed ? CONFIRM_AFTER_MS : IDLE_MS, signal)
}

/** Confirms what is published, so that the next holder has nothing in doubt. */
async function finish(deps: LaneDeps, lease: HeldLease, position: Position | undefined): Promise<void> {
  if (!position) return
  try {
    if (position.unconfirmed) await relayOnce(deps, lease, position, 0)
  } catch (error) {
    deps.logger.warn(
      { err: error, partition: lease.partition },
      'last batch left unconfirmed, the next holder will settle it',
    )
  } finally {
    await position.publisher.discard()
  }
}
