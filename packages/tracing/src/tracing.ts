import type { TraceContext } from './trace-context.ts'

export type Attributes = Record<string, string | number | boolean | undefined>

/** A traced operation. Its attributes must not be secret or personal: they are sent to the collector. */
export interface Span {
  /** The parent for spans of work that this operation causes. */
  readonly context: TraceContext
  set(attributes: Attributes): void
  /** Marks the span as failed. `type` is one of a few codes, not a message. */
  fail(type: string): void
  end(): void
}

export interface SpanOptions {
  kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal'
  /** Undefined: the span begins a new trace. */
  parent: TraceContext | undefined
  attributes?: Attributes
}

/** Creates spans and sends them to the collector. */
export interface Tracing {
  startSpan(name: string, options: SpanOptions): Span
  /** Counts spans that a caller did not start because of its own limit. */
  leaveOut(spans: number): void
  /** Sends the remaining spans. `stopBy` is when the service must have stopped, by performance.now(). */
  close(stopBy: number): Promise<void>
}
