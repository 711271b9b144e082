import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { countDroppedLines } from './log-sink.ts'
import { RELEASE } from './release.ts'

/** A registry with the metrics that every process has: Node's own, the release, lost log lines. One per service. */
export function createRegistry(service: string): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry })
  new Gauge({
    name: 'streamledger_build_info',
    help: 'Always 1; the label names the running release.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version: RELEASE }, 1)
  new Counter({
    name: 'streamledger_log_lines_dropped_total',
    help: 'Log lines that were not written, because the disk was full or nobody read them in time.',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(countDroppedLines())
    },
  })
  return registry
}
