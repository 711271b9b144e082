import type { TraceContext, Tracing } from '@streamledger/tracing'
import { LedgerError } from './errors.ts'
import { ExportError } from './export-errors.ts'

export interface MessageDestination {
  system: 'kafka' | 'graphile_worker'
  /** The topic, or the task. */
  destination: string
}

/**
 * Runs a function that writes a message for another service, in its own span if tracing is on. `run` must store the
 * trace context it gets with the message: OpenTelemetry calls it the message's creation context.
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
    // A refusal is a normal outcome, not a failure of the service.
    if (error instanceof LedgerError || error instanceof ExportError) span.set({ 'streamledger.refusal': error.code })
    else span.fail('not_written')
    throw error
  } finally {
    span.end()
  }
}
