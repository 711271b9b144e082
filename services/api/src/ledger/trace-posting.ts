import type { Tracing } from '@streamledger/tracing'
import { createMessage } from './create-message.ts'
import type { Posting } from './posting.ts'

/** Adds a span for each posting, from its arrival in the queue to its answer. */
export function tracePosting(posting: Posting, tracing: Tracing, topic: string): Posting {
  const message = { system: 'kafka', destination: topic } as const
  return {
    ...posting,
    post: (request) => createMessage(tracing, message, request.trace, (trace) => posting.post({ ...request, trace })),
  }
}
