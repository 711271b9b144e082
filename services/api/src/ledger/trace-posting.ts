import type { Tracing } from '@streamledger/tracing'
import { createMessage } from './create-message.ts'
import type { Posting } from './posting.ts'

/** A span for each posting, from its arrival in the waiting room to the answer of its commit. */
export function tracePosting(posting: Posting, tracing: Tracing, topic: string): Posting {
  const message = { system: 'kafka', destination: topic } as const
  return {
    ...posting,
    post: (request) => createMessage(tracing, message, request.trace, (trace) => posting.post({ ...request, trace })),
  }
}
