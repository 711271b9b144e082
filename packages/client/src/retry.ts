import { UnansweredError } from './errors.ts'

export interface RetryOptions {
  /** How long a request is tried, tries and pauses, in ms. */
  timeoutMs: number
  /** How long one try may take, in ms: a connection that says nothing is not waited for longer. */
  tryTimeoutMs: number
  /** The first pause, doubled each time up to the longest, in ms; half of each is random. Retry-After counts if it is longer. */
  pauseMs: number
  pauseMaxMs: number
}

export const RETRY_DEFAULTS: RetryOptions = { timeoutMs: 30_000, tryTimeoutMs: 10_000, pauseMs: 100, pauseMaxMs: 5_000 }

/** Busy, being restarted, or cut off behind a proxy: the same request may be answered a moment later. */
const PASSING_STATUSES = new Set([429, 502, 503, 504])

export type Fetch = (request: Request) => Promise<Response>

/**
 * A fetch for requests that are safe to repeat and answered in little: reads, and writes that carry a key of their own. It tries again on network
 * errors and on statuses that pass, until the time is up.
 *
 * @throws UnansweredError when the last try was not answered, which may have been cut short by the time that was left; of a
 * read, when none was. A status that does not pass in time is returned as it is.
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
      // What a write did that was not answered, an earlier answer does not tell.
      if (isLast && passing && request.method === 'GET') return passing
      if (isLast) throw new UnansweredError(request.url, tries, { key, cause: outcome })
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
}

/**
 * The whole answer, or what kept it from coming.
 *
 * A request follows its signal, and `AbortSignal.any` its sources, by weak references alone: a signal that nobody else
 * holds is collected as garbage and never aborts anything. So the timer holds one, and this function the other, to the end.
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
