import type { ComparedEvent } from '../compare-events.ts'
import type { Arrivals } from './arrivals.ts'
import type { TopicFaultLog } from './topic-faults.ts'
import type { TopicRecord } from './topic-log.ts'

export interface Judging {
  arrivals: Pick<Arrivals, 'add'>
  faults: TopicFaultLog
  /** Whether a partition is read at all. */
  isRead: (partition: number) => boolean
}

/** Records the faults of an event that was compared with the ledger: in its content, and in its place. */
export function judgeEvent(
  { record, transaction, home, difference }: ComparedEvent<TopicRecord>,
  { arrivals, faults, isRead }: Judging,
): void {
  const { partition, offset } = record
  const place = `partition ${partition}, offset ${offset}`
  if (difference) {
    const { kind, fields, message } = difference
    faults.add({ kind, partition, offset, fields, message: `${place}: ${message}` })
  }
  // The wallet belongs to a partition that is not read, so its earlier events are not known.
  if (!transaction || !isRead(home as number)) return
  const { id: transaction_id, wallet_id, sequence } = transaction
  const arrival = arrivals.add(wallet_id, sequence)
  const what = `${place}: transaction ${transaction_id} (wallet ${wallet_id}, sequence ${sequence})`
  const found = { partition, offset, transaction_id, wallet_id, sequence }
  if (arrival === 'doubled') faults.add({ kind: 'doubled', ...found, message: `${what} has an earlier event` })
  // An event in another partition than the user's was published before the topic grew. Partitions are read one after the
  // other, so the order between the two partitions is not known.
  if (arrival === 'late' && partition === home) {
    faults.add({ kind: 'out_of_order', ...found, message: `${what} comes after a later event of this wallet` })
  }
}
