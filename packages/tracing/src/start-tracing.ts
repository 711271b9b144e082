import type { Logger } from '@streamledger/runtime'
import type { Registry } from 'prom-client'
import { createSpanCounter } from './span-counter.ts'
import type { TraceContext } from './trace-context.ts'
import type { TracingConfig } from './tracing-env.ts'

export type Attributes = Record<string, string | number | boolean | undefined>

/** A stretch of work. What it is given must be neither secret nor personal: it leaves the house. */
export interface Span {
  /** For whoever works on behalf of it: what is started with this belongs under it. */
  readonly context: TraceContext
  set(attributes: Attributes): void
  /** Says that it came to nothing, and by which kind of error: a word out of few, and no message. */
  fail(type: string): void
  end(): void
}

export interface SpanOptions {
  kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal'
  /** On whose behalf; without one it begins a trace. */
  parent: TraceContext | undefined
  attributes?: Attributes
}

/** Spans, for a service that was told where to send them. */
export interface Tracing {
  startSpan(name: string, options: SpanOptions): Span
  /** Counts spans that somebody left out to stay within a bound of their own. */
  leaveOut(spans: number): void
  /** Sends what is there, for as long as a stop can wait that must have ended by then, by performance.now(). */
  close(stopBy: number): Promise<void>
}

export interface TracingDeps {
  service: string
  logger: Logger
  registry: Registry
}

/** Undefined where nothing is traced; OpenTelemetry's SDK is not even loaded then. */
export async function startTracing(
  config: TracingConfig | undefined,
  { registry, ...deps }: TracingDeps,
): Promise<Tracing | undefined> {
  const counter = createSpanCounter(registry)
  if (config === undefined) return undefined
  const { createTracing } = await import('./create-tracing.ts')
  return createTracing(config, { counter, ...deps })
}
