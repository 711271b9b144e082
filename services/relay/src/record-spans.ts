import { isSampled, readTraceContext, type Span, type TraceContext, type Tracing } from '@streamledger/tracing'
import type { Batch, Receipt } from './publisher.ts'

/** The spans of one batch's records. */
export interface RecordSpans {
  /** Context of the first traced record; log lines about the batch carry it. */
  first: TraceContext | undefined
  acknowledged(receipt: Receipt): void
  /** It is unknown whether the records are in Kafka. */
  doubted(): void
}

/**
 * Further spans of a batch are dropped and counted: a batch may have thousands of records, and a backlog many batches.
 */
const SPANS_PER_BATCH_MAX = 100

/**
 * Starts a span for each record whose trace is sampled, in that trace. The record keeps the trace context that it was
 * created with, as OpenTelemetry specifies: the relay publishes the bytes of the outbox row unchanged, each time.
 */
export function createRecordSpans(tracing: Tracing, topic: string) {
  return (partition: number, { batchId, rows }: Batch): RecordSpans => {
    const traced = rows.flatMap(({ headers }, index) => {
      const parent = readTraceContext(headers)
      return parent && isSampled(parent) ? { parent, index } : []
    })
    const attributes = {
      'messaging.system': 'kafka',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': topic,
      'messaging.destination.partition.id': String(partition),
      'messaging.batch.message_count': rows.length,
      'streamledger.batch_id': batchId,
    }
    const start = (parent: TraceContext): Span =>
      tracing.startSpan(`send ${topic}`, { kind: 'client', parent, attributes })
    const spans = traced.slice(0, SPANS_PER_BATCH_MAX).map(({ parent, index }) => ({ span: start(parent), index }))
    if (traced.length > spans.length) tracing.leaveOut(traced.length - spans.length)
    return {
      first: spans[0]?.span.context,
      acknowledged({ offset }) {
        for (const { span, index } of spans) {
          span.set({ 'messaging.kafka.offset': offset - rows.length + index })
          span.end()
        }
      },
      doubted() {
        for (const { span } of spans) {
          span.fail('outcome_unknown')
          span.end()
        }
      },
    }
  }
}

export type StartRecordSpans = ReturnType<typeof createRecordSpans>
