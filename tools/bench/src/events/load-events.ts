import { readFileSync } from 'node:fs'
import type pg from 'pg'
import { EVENTS_TABLE } from '../ledger/verify-ledger.ts'
import { readEventLog } from './event-log.ts'

const CHUNK_EVENTS = 20_000

/** Puts what a consumer has seen into bench.events, beside the ledger that it is compared with. */
export async function loadEvents(pool: pg.Pool, file: string): Promise<void> {
  await pool.query(EVENTS_TABLE)
  const log = readEventLog(readFileSync(file))
  for (let from = 0; from < log.count; from += CHUNK_EVENTS) {
    await pool.query(
      'insert into bench.events select * from unnest($1::bigint[], $2::int[], $3::bigint[], $4::float8[])',
      log.columns(from, from + CHUNK_EVENTS),
    )
  }
  await pool.query('analyze bench.events')
}
