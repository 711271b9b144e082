import { Gauge, type Registry } from 'prom-client'

/** As much of a pool of connections as is counted. */
export interface ObservedPool {
  totalCount: number
  idleCount: number
  waitingCount: number
  options: { max: number }
}

/** What shows that a service waits for connections, before anybody is refused. */
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
 * Whoever asks stands in the pool's queue until the next turn of the event loop, also where a connection is idle or may yet
 * be opened, and the other metrics of the same scrape have just asked: those wait for nobody.
 */
function countWaiting({ totalCount, idleCount, waitingCount, options }: ObservedPool): number {
  return Math.max(0, waitingCount - idleCount - (options.max - totalCount))
}
