// The only file besides span-queue.ts that uses OpenTelemetry. It is loaded only if tracing is on.
import { randomUUID } from 'node:crypto'
import {
  createTraceState,
  type Context as OtelContext,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { Logger } from '@streamledger/runtime'
import type { SpanCounter } from './span-counter.ts'
import { SpanQueue } from './span-queue.ts'
import type { TraceContext } from './trace-context.ts'
import type { Span, SpanOptions, Tracing } from './tracing.ts'
import type { TracingConfig } from './tracing-env.ts'

/** Timeout of one request to the collector, including retries. */
const EXPORT_TIMEOUT_MS = 5_000
/** Concurrent requests: one, plus timed-out ones that have not ended yet. */
const EXPORTS_MAX = 4
/** A stop spends at most this time on the last spans, and at most this share of its remaining time. */
const CLOSE_MS_MAX = 2_000
const CLOSE_SHARE = 0.5
const ATTRIBUTES_MAX = 32
const ATTRIBUTE_CHARACTERS_MAX = 256

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const satisfies Record<SpanOptions['kind'], SpanKind>

export interface CreateTracingDeps {
  counter: SpanCounter
  service: string
  logger: Logger
}

/** Registers nothing globally: spans are started with the object that this returns. */
export function createTracing(config: TracingConfig, deps: CreateTracingDeps): Tracing {
  const { counter, logger } = deps
  const exporter = new OTLPTraceExporter({
    url: config.url,
    headers: config.headers,
    timeoutMillis: EXPORT_TIMEOUT_MS,
    concurrencyLimit: EXPORTS_MAX,
  })
  const queue = new SpanQueue({ exporter, counter, logger, exportTimeoutMs: EXPORT_TIMEOUT_MS })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': config.serviceName,
      'service.namespace': 'streamledger',
      'service.instance.id': randomUUID(),
      ...config.resource,
    }),
    sampler: createSampler(config.sampler),
    spanProcessors: [queue],
    spanLimits: { attributeCountLimit: ATTRIBUTES_MAX, attributeValueLengthLimit: ATTRIBUTE_CHARACTERS_MAX },
  })
  const tracer = provider.getTracer(`streamledger.${deps.service}`)
  return {
    startSpan(name, { kind, parent, attributes = {} }) {
      const span = tracer.startSpan(name, { kind: KINDS[kind], attributes }, contextOf(parent))
      return {
        context: textOf(span.spanContext()),
        set: (more) => void span.setAttributes(more),
        fail: (type) => void span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR }),
        end: () => span.end(),
      } satisfies Span
    },
    leaveOut: (spans) => counter.inc({ outcome: 'dropped' }, spans),
    close: (stopBy) => {
      const leftMs = Math.max(0, stopBy - performance.now())
      return queue.close(Math.min(CLOSE_MS_MAX, leftMs * CLOSE_SHARE))
    },
  }
}

function createSampler({ name, ratio }: TracingConfig['sampler']): Sampler {
  const roots = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio),
  }
  const root = roots[name.replace('parentbased_', '') as keyof typeof roots]()
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root
}

function contextOf(parent: TraceContext | undefined): OtelContext {
  if (parent === undefined) return ROOT_CONTEXT
  const [, traceId = '', spanId = '', flags = ''] = parent.traceparent.split('-')
  const traceFlags = Number.parseInt(flags, 16)
  const traceState = parent.tracestate === undefined ? {} : { traceState: createTraceState(parent.tracestate) }
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true, ...traceState })
}

function textOf({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceContext {
  const traceparent = `00-${traceId}-${spanId}-0${traceFlags}`
  const tracestate = traceState?.serialize()
  return tracestate ? { traceparent, tracestate } : { traceparent }
}
