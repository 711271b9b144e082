import { backOffMs, sleep } from '@streamledger/runtime'
import { BATCH_HEADER } from './kafka-client.ts'
import type { KafkaLog, LogRecord } from './kafka-log.ts'

export interface BatchScan {
  partition: number
  batchId: string
  /** `to` is below the last stable offset, so all transactions before it have ended. */
  offsets: { from: number; to: number }
}

/** So often the same offset is fetched before the scan fails; it then begins anew. */
const FETCH_TRIES_MAX = 5
const FETCH_BACK_OFF = { baseMs: 50, maxMs: 1_000 }

/**
 * Returns the offset of a batch's first record if its transaction was committed. A transaction ends with the next
 * marker of the same producer. Another producer may copy the record with its headers: a copy in no transaction is not the
 * batch, and one in a transaction that was aborted hides nothing. A scan may be long: only each fetch has a deadline, and
 * `progressed` is called after each.
 */
export async function scanForBatch(
  log: Pick<KafkaLog, 'fetch'>,
  scan: BatchScan,
  progressed: () => void,
): Promise<number | undefined> {
  const { partition, batchId, offsets } = scan
  /** The first record of the batch in each open transaction, by producer: an attempt, which may be aborted. */
  const attempts = new Map<string, LogRecord>()
  for (let next = offsets.from; next < offsets.to || attempts.size > 0; ) {
    const records = await fetchPatiently(log, partition, next, progressed)
    const last = records.at(-1)
    // There is always a record below the last stable offset, so an empty answer is an error.
    if (!last) throw new Error(`partition ${partition} shows nothing at offset ${next}, below its last stable offset`)
    for (const record of records) {
      const { offset, producerId, inTransaction, mark, headers } = record
      const attempt = attempts.get(producerId)
      if (attempt && mark === 'commit') return attempt.offset
      if (mark) attempts.delete(producerId)
      const isAttempt = inTransaction && offset < offsets.to && headers[BATCH_HEADER]?.toString() === batchId
      if (isAttempt && !attempt) attempts.set(producerId, record)
    }
    next = last.offset + 1
  }
  return undefined
}

/** Tries again after an error, so that the scan keeps its position. */
async function fetchPatiently(
  log: Pick<KafkaLog, 'fetch'>,
  partition: number,
  offset: number,
  progressed: () => void,
): Promise<LogRecord[]> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await log.fetch(partition, offset)
    } catch (error) {
      if (tries === FETCH_TRIES_MAX) throw error
      await sleep(backOffMs(tries, FETCH_BACK_OFF))
    } finally {
      progressed()
    }
  }
}

/**
 * Returns the offset of a record that was committed between the two offsets and is not of this batch. A record that no
 * marker ends was not written in a transaction, and counts as committed.
 */
export async function scanForOtherRecord(
  log: Pick<KafkaLog, 'fetch'>,
  { partition, batchId, offsets }: BatchScan,
  progressed: () => void,
): Promise<number | undefined> {
  const others = new Map<string, number>()
  const ofBatch = new Set<string>()
  for (let next = offsets.from; next < offsets.to; ) {
    const records = await fetchPatiently(log, partition, next, progressed)
    const last = records.at(-1)
    if (!last) throw new Error(`partition ${partition} shows nothing at offset ${next}, below its last stable offset`)
    for (const { offset, producerId, inTransaction, mark, headers } of records) {
      if (offset >= offsets.to) break
      if (mark === 'commit' && others.has(producerId)) return others.get(producerId)
      if (mark) {
        others.delete(producerId)
        ofBatch.delete(producerId)
        continue
      }
      // Only the first record of a batch has its id; the others come right after it.
      const id = headers[BATCH_HEADER]?.toString()
      if (inTransaction && id === batchId) ofBatch.add(producerId)
      const isOther = !inTransaction || (id === undefined ? !ofBatch.has(producerId) : id !== batchId)
      if (isOther && !others.has(producerId)) others.set(producerId, offset)
    }
    next = last.offset + 1
  }
  return others.values().next().value
}
