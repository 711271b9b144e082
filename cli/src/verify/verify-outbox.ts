import type { Pool } from 'pg'
import { compareEvents } from '../compare-events.ts'
import { outboxPages } from '../outbox-pages.ts'
import type { TopicRow } from '../read-topic-row.ts'
import type { Verification } from './ledger-faults.ts'

/** Compares each outbox row with the transaction that it was committed with. */
export async function verifyOutbox(
  pool: Pool,
  topic: TopicRow,
  { faults, checked, onProgress }: Verification,
): Promise<void> {
  for await (const rows of outboxPages(pool)) {
    const compared = await compareEvents(pool, topic, rows)
    for (const { record, difference } of compared) {
      if (!difference) continue
      const { partition, id } = record
      const message = `outbox row ${id} of partition ${partition}: ${difference.message}`
      faults.add({ kind: 'outbox_differs', partition, id, fields: difference.fields, message })
    }
    checked.outbox_rows += rows.length
    onProgress()
  }
}
