import type { Db } from '@streamledger/db'
import type { Logger } from '@streamledger/runtime'
import type { Task } from 'graphile-worker'
import { sql } from 'kysely'

export interface ForgetDeps {
  db: Db
  logger: Logger
  options: { ttlD: number }
}

/** Maximum number of rows per statement, so that each statement is short. */
const BATCH_ROWS = 1_000

/** Deletes security events after their retention period: they contain IP addresses of people. */
export function forgetSecurityEvents({ db, logger, options }: ForgetDeps): Task {
  return async (_payload, { abortSignal }) => {
    let forgotten = 0
    while (!abortSignal.aborted) {
      const rows = await forgetBatch(db, options.ttlD)
      forgotten += rows
      if (rows < BATCH_ROWS) break
    }
    if (forgotten > 0) logger.info({ forgotten }, 'deleted old security events')
  }
}

async function forgetBatch(db: Db, ttlD: number): Promise<number> {
  const { numAffectedRows = 0n } = await sql`
    delete from security_events where id in (
      select id from security_events where created_at < now() - make_interval(days => ${ttlD}::int)
      order by created_at limit ${BATCH_ROWS})`.execute(db)
  return Number(numAffectedRows)
}
