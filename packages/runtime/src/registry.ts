import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { RELEASE } from './release.ts'

/** A registry with Node's own metrics in it, and which release it is of; one a service. */
export function createRegistry(service: string): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry })
  new Gauge({
    name: 'streamledger_build_info',
    help: 'Always 1: the label says which release is running.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version: RELEASE }, 1)
  return registry
}
