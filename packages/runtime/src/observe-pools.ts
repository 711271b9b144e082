import { Gauge, type Registry } from 'prom-client'

/** The counts of a connection pool. */
export interface ObservedPool {
  totalCount: number
  idleCount: number
  waitingCount: number
  options: { max: number }
}

/** Gauges of the connection pools. They show that a service waits for connections before requests fail. */
export function observePools(registry: Registry, pools: Record<string, ObservedPool>): void {
  new Gauge({
    name: 'database_connections',
    help: 'Connections to Postgres, and requests that wait for one.',
    labelNames: ['pool', 'state'] as const,
    registers: [registry],
    collect() {
      for (const [name, pool] of Object.entries(pools)) {
        this.labels(name, 'busy').set(pool.totalCount - pool.idleCount)
        this.labels(name, 'idle').set(pool.idleCount)
        this.labels(name, 'waited_for').set(countWaiting(pool))
      }
    },
  })
}

/**
 * Counts requests that really wait. Each request is in the pool's queue until the next turn of the event loop, even if
 * a connection is idle or can be opened, and other metrics of the same scrape have just made such requests.
 */
function countWaiting({ totalCount, idleCount, waitingCount, options }: ObservedPool): number {
  return Math.max(0, waitingCount - idleCount - (options.max - totalCount))
}
