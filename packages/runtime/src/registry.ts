import { collectDefaultMetrics, Registry } from 'prom-client'

/** A registry with Node's own metrics in it; one a service. */
export function createRegistry(service: string): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ service })
  collectDefaultMetrics({ register: registry })
  return registry
}
