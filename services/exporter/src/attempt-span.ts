import { EXPORT_TASK } from '@streamledger/events'
import type { Span, TraceContext, Tracing } from '@streamledger/tracing'
import type { Job } from 'graphile-worker'
import type { AttemptKey } from './export-attempt.ts'

/** Starts a span for one attempt at an export, in the trace of the request that ordered it. */
export function startAttemptSpan(
  tracing: Tracing | undefined,
  parent: TraceContext | undefined,
  { id, attempt }: AttemptKey,
  job: Pick<Job, 'attempts'>,
): Span | undefined {
  return tracing?.startSpan(`process ${EXPORT_TASK}`, {
    kind: 'consumer',
    parent,
    attributes: {
      'messaging.system': 'graphile_worker',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': EXPORT_TASK,
      'streamledger.export_id': id,
      'streamledger.attempt': attempt,
      'streamledger.job_attempt': job.attempts,
    },
  })
}
