import { Counter, type Registry } from 'prom-client'

const OUTCOMES = ['sent', 'failed', 'dropped'] as const

export type SpanCounter = Counter<'outcome'>

/** Counts spans by outcome. All three series start at 0, even if tracing is off. */
export function createSpanCounter(registry: Registry): SpanCounter {
  const counter = new Counter({
    name: 'streamledger_spans_total',
    help: 'Spans by outcome: sent, failed (not accepted by the collector), dropped (a limit was reached). All 0 if tracing is off.',
    labelNames: ['outcome'] as const,
    registers: [registry],
  })
  for (const outcome of OUTCOMES) counter.inc({ outcome }, 0)
  return counter
}
