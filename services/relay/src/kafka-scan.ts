import { BATCH_HEADER } from './kafka-client.ts'
import type { KafkaLog, LogRecord } from './kafka-log.ts'

export interface BatchScan {
  partition: number
  batchId: string
  /** Up to `to`, which is below the last stable offset, every transaction has ended. */
  offsets: { from: number; to: number }
}

/**
 * The offset of a batch's first record, if its transaction was committed. A transaction of a producer ends with that
 * producer's next mark, so nothing has to be known of the others.
 */
export async function scanForBatch(log: Pick<KafkaLog, 'fetch'>, scan: BatchScan): Promise<number | undefined> {
  const { partition, batchId, offsets } = scan
  let found: LogRecord | undefined
  for (let next = offsets.from; next < offsets.to || found; ) {
    const records = await log.fetch(partition, next)
    const last = records.at(-1)
    // Below the last stable offset there is something to read; an empty answer is none.
    if (!last) throw new Error(`partition ${partition} shows nothing at offset ${next}, below its last stable offset`)
    for (const record of records) {
      if (found && record.mark && record.producerId === found.producerId) {
        if (record.mark === 'commit') return found.offset
        found = undefined // that attempt was aborted, a later one may not be
      }
      if (!found && record.headers[BATCH_HEADER]?.toString() === batchId) found = record
    }
    next = last.offset + 1
  }
  return undefined
}
