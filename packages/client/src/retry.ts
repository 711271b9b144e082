import { UnansweredError } from './errors.ts'

export interface RetryOptions {
  /** How long a request is tried, including pauses, in ms. */
  timeoutMs: number
  /** How long one try may take, in ms. */
  tryTimeoutMs: number
  /** The first pause, in ms. It doubles each time, and half of it is random. A longer Retry-After takes precedence. */
  pauseMs: number
  /** The longest pause, in ms. */
  pauseMaxMs: number
}

export const RETRY_DEFAULTS: RetryOptions = { timeoutMs: 30_000, tryTimeoutMs: 10_000, pauseMs: 100, pauseMaxMs: 5_000 }

/** The API is busy or restarting, or a proxy cannot reach it: the same request may succeed a moment later. */
const PASSING_STATUSES = new Set([429, 502, 503, 504])

export type Fetch = (request: Request) => Promise<Response>

/**
 * Makes a fetch for requests that are safe to repeat (reads, and writes with a key) and have small answers. It tries
 * again on network errors and on PASSING_STATUSES, until the time is up. If the last try has such a status, it is
 * returned.
 *
 * @throws UnansweredError when the last try of a write got no answer, or when no try of a read got one. The last try
 * may have had little time left.
 */
export function createRetryingFetch(fetch: Fetch, options: RetryOptions, key?: string): Fetch {
  return async (request) => {
    const deadline = performance.now() + options.timeoutMs
    let passing: Response | undefined
    for (let tries = 1; ; tries += 1) {
      const left = deadline - performance.now()
      const outcome = await tryOnce(fetch, request, Math.ceil(Math.max(1, Math.min(options.tryTimeoutMs, left))))
      const pauseMs = Math.max(pauseAfter(tries, options), retryAfterMs(outcome))
      const isLast = performance.now() + pauseMs >= deadline || request.signal.aborted
      if (outcome instanceof Response) {
        if (isLast || !PASSING_STATUSES.has(outcome.status)) return outcome
        passing = outcome
      }
      // Not for writes: an unanswered try may have taken effect, which the earlier answer does not show.
      if (isLast && passing && request.method === 'GET') return passing
      if (isLast) throw new UnansweredError(request.url, tries, { key, cause: outcome })
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
}

/**
 * Returns the whole answer, or the error.
 *
 * A request and `AbortSignal.any` hold their source signals by weak references only: a signal without another reference
 * is garbage collected and never aborts. So the timer holds one signal, and this function the other, until the end.
 */
async function tryOnce(fetch: Fetch, request: Request, timeoutMs: number): Promise<Response | unknown> {
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort(new DOMException('no answer in time', 'TimeoutError')), timeoutMs)
  const attempt = new Request(request.clone(), { signal: AbortSignal.any([request.signal, timeout.signal]) })
  try {
    const answer = await fetch(attempt)
    await answer.clone().arrayBuffer()
    return answer
  } catch (error) {
    return attempt.signal.reason ?? error
  } finally {
    clearTimeout(timer)
  }
}

function pauseAfter(tries: number, { pauseMs, pauseMaxMs }: RetryOptions): number {
  const ceiling = Math.min(pauseMaxMs, pauseMs * 2 ** (tries - 1))
  return ceiling / 2 + (Math.random() * ceiling) / 2
}

function retryAfterMs(outcome: unknown): number {
  const seconds = outcome instanceof Response ? Number(outcome.headers.get('retry-after')) : 0
  return Number.isFinite(seconds) ? seconds * 1_000 : 0
}
