import { describeDifference, findDifference } from '@streamledger/kafka'
import { backOffMs, sleep } from '@streamledger/runtime'
import {
  type HeldLease,
  halt,
  type LaneDeps,
  LaneEndedError,
  type Position,
  publish,
  TopicChangedError,
  writeReceipt,
} from './lane-step.ts'
import { ForeignRowsError } from './outbox.ts'
import type { Batch } from './publisher.ts'
import { UnseenError } from './read-back.ts'
import { type Doubt, NO_DOUBT, ReceiptBehindError, recover } from './recover.ts'

const RECOVERY_BACK_OFF = { baseMs: 50, maxMs: 5_000 }
/**
 * An idle lane confirms its last batch after this long, so that its rows do not stay in the outbox until the next
 * event.
 */
const CONFIRM_AFTER_MS = 250
/** An idle lane polls this often, in case a ring is missed. */
const IDLE_MS = 5_000
/**
 * Pause per row of the last batch, not counting the first. Under load this makes transactions fewer and fuller: one
 * transaction costs the broker as much as hundreds of rows. After a single row there is no pause.
 */
const LINGER_MS_PER_ROW = 4

/** Publishes one partition's rows until aborted, then confirms the last batch. Returns when the lane has ended. */
export async function runLane(deps: LaneDeps, lease: HeldLease, signal: AbortSignal): Promise<void> {
  let position: Position | undefined // undefined: earlier batches are in doubt, recover first
  let failures = 0
  const doubt: Doubt = { ...NO_DOUBT }
  while (!signal.aborted) {
    try {
      if (!position) {
        position = await recover(deps, lease, doubt)
        lease.reached()
        Object.assign(doubt, NO_DOUBT)
      }
      const batch = await relayOnce(deps, lease, position)
      failures = 0
      lease.resting()
      await rest(deps, lease, position, batch, signal)
      lease.progressed()
      if (position.sent >= deps.producerRowsMax) {
        await finish(deps, lease, position)
        position = undefined
      }
    } catch (error) {
      if (!(error instanceof LaneEndedError)) {
        failures += 1
        deps.metrics.doubts.inc()
        lease.failed(error)
      }
      lease.progressed()
      await position?.publisher.discard()
      position = undefined
      if (error instanceof LaneEndedError) return
      if (error instanceof ReceiptBehindError) doubt.looks += 1
      // Between two old answers, Kafka did not answer at all: the patience is for a Kafka that answers.
      else Object.assign(doubt, NO_DOUBT)
      if (error instanceof ReceiptBehindError || error instanceof UnseenError) deps.kafka.renew()
      lease.resting()
      await sleep(backOffMs(failures, RECOVERY_BACK_OFF), signal)
      lease.progressed()
    }
  }
  await finish(deps, lease, position)
}

/**
 * Confirms the previous batch, names the next one (one statement does both), publishes it and returns it.
 */
async function relayOnce(
  deps: LaneDeps,
  lease: HeldLease,
  position: Position,
  rowsMax = deps.batch.rowsMax,
): Promise<Batch> {
  // The intent deletes the rows of the previous batch. Without them that batch could not be published again.
  if (position.shown) {
    deps.readBack.hurry()
    await position.shown
    position.shown = undefined
    lease.reached()
  }
  // An idle lane notices nothing by itself.
  if (deps.kafka.identity && findDifference(position.publisher.identity, deps.kafka.identity)) {
    throw new TopicChangedError(describeDifference(position.publisher.identity, deps.kafka.identity))
  }
  lease.progressed()
  if (lease.receiptStale && !position.unconfirmed) await writeReceipt(deps, lease, position)
  const { partition, token } = lease
  const { batchSeq, nextOffset } = position
  const { bytesMax } = deps.batch
  lease.bell.hush()
  const intendedAt = performance.now()
  const batch = await deps.outbox
    .intend({ partition, token, batchSeq, nextOffset, rowsMax, bytesMax })
    .catch((error) => haltForeignRows(deps, lease, position, error))
  position.unconfirmed = false
  position.batchSeq = batch.seq
  if (batch.rows.length === 0) return batch

  lease.progressed()
  await publish(deps, lease, position, batch)
  deps.metrics.acknowledged(performance.now() - intendedAt, batch.oldestAgeMs)
  return batch
}

function haltForeignRows(deps: LaneDeps, lease: HeldLease, { batchSeq }: Position, error: unknown): Promise<never> {
  if (error instanceof ForeignRowsError) return halt(deps, lease, batchSeq, error.message)
  throw error
}

/**
 * Pauses before the next batch: not after a full one, for the linger time after several rows, else until the bell
 * rings.
 */
async function rest(
  { pace }: LaneDeps,
  lease: HeldLease,
  position: Position,
  { rows, isFull }: Batch,
  signal: AbortSignal,
): Promise<void> {
  if (isFull) return
  if (rows.length > 1) {
    lease.lingers = true
    await sleep(Math.min(pace.lingerMs, (rows.length - 1) * LINGER_MS_PER_ROW), signal)
    lease.lingers = false
  } else await lease.bell.wait(position.unconfirmed ? CONFIRM_AFTER_MS : IDLE_MS, signal)
}

/** Confirms the last batch, so that the next lease holder has nothing in doubt. */
async function finish(deps: LaneDeps, lease: HeldLease, position: Position | undefined): Promise<void> {
  if (!position) return
  try {
    if (position.unconfirmed) await relayOnce(deps, lease, position, 0)
  } catch (error) {
    deps.logger.warn(
      { err: error, partition: lease.partition },
      'last batch left unconfirmed, the next lease holder will settle it',
    )
  } finally {
    await position.publisher.discard()
  }
}
