import { describeError } from '@streamledger/runtime'
import { traceFields } from '@streamledger/tracing'
import type { FastifyRequest } from 'fastify'
import type { Failure } from './describe-failure.ts'
import { traceContextOf } from './trace-requests.ts'

/** While the database is down, every request fails the same way, so one line per second is enough. */
const UNAVAILABLE_INTERVAL_MS = 1_000
let unavailableLoggedAt = Number.NEGATIVE_INFINITY

/** Logs each internal error, and, at most once per second, that requests are answered 503. */
export function logFailure(
  request: Pick<FastifyRequest, 'id' | 'log' | 'headers' | 'span'>,
  error: unknown,
  { status, code }: Failure,
): void {
  if (status < 500) return
  const { id, log } = request
  if (status === 500) {
    log.error(
      { request_id: id, ...traceFields(traceContextOf(request)), fault: describeError(error) },
      'request failed',
    )
    return
  }
  const now = performance.now()
  if (now - unavailableLoggedAt < UNAVAILABLE_INTERVAL_MS) return
  unavailableLoggedAt = now
  log.warn(
    { request_id: id, ...traceFields(traceContextOf(request)), code, fault: describeError(error) },
    'requests are answered 503',
  )
}
