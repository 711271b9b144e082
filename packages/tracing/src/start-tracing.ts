import type { Logger } from '@streamledger/runtime'
import type { Registry } from 'prom-client'
import { createSpanCounter } from './span-counter.ts'
import type { Tracing } from './tracing.ts'
import type { TracingConfig } from './tracing-env.ts'

export interface TracingDeps {
  service: string
  logger: Logger
  registry: Registry
}

/** Returns undefined if tracing is off; the SDK of OpenTelemetry is not loaded then. */
export async function startTracing(
  config: TracingConfig | undefined,
  { registry, ...deps }: TracingDeps,
): Promise<Tracing | undefined> {
  const counter = createSpanCounter(registry)
  if (config === undefined) return undefined
  const { createTracing } = await import('./create-tracing.ts')
  return createTracing(config, { counter, ...deps })
}
