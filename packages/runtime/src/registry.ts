import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { RELEASE } from './release.ts'

/** A registry with Node's own metrics and the release; one per service. */
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
  return registry
}
