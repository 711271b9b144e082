import { Gauge, type Registry } from 'prom-client'

/** As much of a pool of connections as is counted. */
export interface ObservedPool {
  totalCount: number
  idleCount: number
  waitingCount: number
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
        this.labels(name, 'waited_for').set(pool.waitingCount)
      }
    },
  })
}
