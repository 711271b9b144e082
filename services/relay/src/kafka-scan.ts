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
 * marker of the same producer, so other producers do not matter. A scan may be long: only each fetch has a deadline,
 * and `progressed` is called after each.
 */
export async function scanForBatch(
  log: Pick<KafkaLog, 'fetch'>,
  scan: BatchScan,
  progressed: () => void,
): Promise<number | undefined> {
  const { partition, batchId, offsets } = scan
  let found: LogRecord | undefined
  for (let next = offsets.from; next < offsets.to || found; ) {
    const records = await fetchPatiently(log, partition, next, progressed)
    const last = records.at(-1)
    // There is always a record below the last stable offset, so an empty answer is an error.
    if (!last) throw new Error(`partition ${partition} shows nothing at offset ${next}, below its last stable offset`)
    for (const record of records) {
      if (found && record.mark && record.producerId === found.producerId) {
        if (record.mark === 'commit') return found.offset
        found = undefined // this attempt was aborted; a later one may be committed
      }
      if (!found && record.headers[BATCH_HEADER]?.toString() === batchId) found = record
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
    for (const { offset, producerId, mark, headers } of records) {
      if (offset >= offsets.to) break
      if (mark === 'commit' && others.has(producerId)) return others.get(producerId)
      if (mark) {
        others.delete(producerId)
        ofBatch.delete(producerId)
        continue
      }
      // Only the first record of a batch has its id; the others come right after it.
      const id = headers[BATCH_HEADER]?.toString()
      if (id === batchId) ofBatch.add(producerId)
      const isOther = id === undefined ? !ofBatch.has(producerId) : id !== batchId
      if (isOther && !others.has(producerId)) others.set(producerId, offset)
    }
    next = last.offset + 1
  }
  return others.values().next().value
}
