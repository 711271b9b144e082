import { Counter, type Registry } from 'prom-client'

const OUTCOMES = ['sent', 'failed', 'dropped'] as const

export type SpanCounter = Counter<'outcome'>

/** What became of the spans. All three are told from the start, also where nothing is traced. */
export function createSpanCounter(registry: Registry): SpanCounter {
  const counter = new Counter({
    name: 'streamledger_spans_total',
    help: 'Spans by what became of them: sent, failed (the collector did not take them), dropped (too many waited). All 0 where nothing is traced.',
    labelNames: ['outcome'] as const,
    registers: [registry],
  })
  for (const outcome of OUTCOMES) counter.inc({ outcome }, 0)
  return counter
}
