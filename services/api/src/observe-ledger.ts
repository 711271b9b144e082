import type { Pool } from 'pg'
import { Gauge, type Registry } from 'prom-client'
import type { Posting } from './ledger/posting.ts'

export interface ObservedLedger {
  posting: Pick<Posting, 'pending'>
  pools: Record<string, Pick<Pool, 'totalCount' | 'idleCount' | 'waitingCount'>>
}

/** What shows that the database does not keep up, before anybody is refused. */
export function observeLedger(registry: Registry, { posting, pools }: ObservedLedger): void {
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
    labelNames: ['pool', 'state'] as const,
    registers: [registry],
    collect() {
      for (const [name, pool] of Object.entries(pools)) {
        this.labels(name, 'busy').set(pool.totalCount - pool.idleCount)
        this.labels(name, 'idle').set(pool.idleCount)
        this.labels(name, 'waited_for').set(pool.waitingCount)
      }
    },
  })
}
