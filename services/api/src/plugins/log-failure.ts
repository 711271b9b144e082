import { describeError } from '@streamledger/runtime'
import type { FastifyRequest } from 'fastify'
import type { Failure } from './describe-failure.ts'

/** While the database is down every request fails alike; one line a second tells it as well as ten thousand. */
const UNAVAILABLE_INTERVAL_MS = 1_000
let unavailableLoggedAt = Number.NEGATIVE_INFINITY

/** Logs what somebody has to look at, once: faults, and that requests are being turned away. */
export function logFailure(
  { id, log }: Pick<FastifyRequest, 'id' | 'log'>,
  error: unknown,
  { status, code }: Failure,
): void {
  if (status < 500) return
  if (status === 500) {
    log.error({ request_id: id, fault: describeError(error) }, 'request failed')
    return
  }
  const now = performance.now()
  if (now - unavailableLoggedAt < UNAVAILABLE_INTERVAL_MS) return
  unavailableLoggedAt = now
  log.warn({ request_id: id, code, fault: describeError(error) }, 'requests are answered 503')
}
