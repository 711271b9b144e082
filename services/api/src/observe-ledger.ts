import type { Pool } from 'pg'
import { Gauge, type Registry } from 'prom-client'
import type { Posting } from './ledger/posting.ts'

export interface ObservedLedger {
  posting: Pick<Posting, 'pending'>
  pool: Pick<Pool, 'totalCount' | 'idleCount' | 'waitingCount'>
}

/** What shows that the database does not keep up, before anybody is refused. */
export function observeLedger(registry: Registry, { posting, pool }: ObservedLedger): void {
  new Gauge({
    name: 'posting_pending',
    help: 'Postings that wait for a commit or are in one.',
    registers: [registry],
    collect() {
      this.set(posting.pending())
    },
  })
  new Gauge({
    name: 'database_connections',
    help: 'Connections to Postgres, and requests that wait for one.',
    labelNames: ['state'] as const,
    registers: [registry],
    collect() {
      this.labels('busy').set(pool.totalCount - pool.idleCount)
      this.labels('idle').set(pool.idleCount)
      this.labels('waited_for').set(pool.waitingCount)
    },
  })
}
