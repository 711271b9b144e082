import type { TraceContext, Tracing } from '@streamledger/tracing'
import { LedgerError } from './errors.ts'
import { ExportError } from './export-errors.ts'

export interface MessageDestination {
  system: 'kafka' | 'graphile_worker'
  /** The topic, or the task. */
  destination: string
}

/**
 * Runs what writes a message for another service, in a span of its own where something is traced. The context that `run`
 * is given is to go along with the message: OpenTelemetry calls it the message's creation context.
 */
export async function createMessage<T>(
  tracing: Tracing | undefined,
  { system, destination }: MessageDestination,
  parent: TraceContext | undefined,
  run: (trace: TraceContext | undefined) => Promise<T>,
): Promise<T> {
  if (!tracing) return run(parent)
  const attributes = {
    'messaging.system': system,
    'messaging.operation.name': 'create',
    'messaging.operation.type': 'create',
    'messaging.destination.name': destination,
  }
  const span = tracing.startSpan(`create ${destination}`, { kind: 'producer', parent, attributes })
  try {
    return await run(span.context)
  } catch (error) {
    // What is refused was not written: that is an outcome as any other, not an error of whoever runs this.
    if (error instanceof LedgerError || error instanceof ExportError) span.set({ 'streamledger.refusal': error.code })
    else span.fail('not_written')
    throw error
  } finally {
    span.end()
  }
}
