import type { Logger } from './create-logger.ts'

/** The first pause between two lines about the same failure; each pause is twice as long as the one before. */
const PAUSE_MS_MIN = 5_000
const PAUSE_MS_MAX = 300_000

interface Outage {
  since: number
  failures: number
  /** The kinds of failure that are in the log already. */
  kinds: Set<string>
  pauseMs: number
  quietUntil: number
}

/**
 * Logs an outage in few lines: each kind of failure once and in full, then the number of failures at growing pauses, then
 * the end.
 */
export class OutageLog {
  readonly #logger: Logger
  readonly #end: string
  #outage: Outage | undefined

  /** `end` is the message of the last line. */
  constructor(logger: Logger, end: string) {
    this.#logger = logger
    this.#end = end
  }

  failed(message: string, error: unknown, fields: Record<string, unknown> = {}): void {
    const now = performance.now()
    this.#outage ??= { since: now, failures: 0, kinds: new Set(), pauseMs: PAUSE_MS_MIN, quietUntil: now }
    const outage = this.#outage
    outage.failures += 1
    const kind = `${message} ${kindOf(error)}`
    const isNew = !outage.kinds.has(kind)
    if (!isNew && now < outage.quietUntil) return
    outage.kinds.add(kind)
    if (isNew) this.#logger.warn({ err: error, ...fields }, message)
    else {
      const lastedMs = Math.round(now - outage.since)
      this.#logger.warn({ ...fields, failures: outage.failures, lastedMs, latest: String(error) }, message)
      outage.pauseMs = Math.min(PAUSE_MS_MAX, 2 * outage.pauseMs)
    }
    outage.quietUntil = now + outage.pauseMs
  }

  /** Does nothing if there is no outage. */
  ended(): void {
    if (!this.#outage) return
    const { failures, since } = this.#outage
    this.#outage = undefined
    this.#logger.info({ failures, lastedMs: Math.round(performance.now() - since) }, this.#end)
  }
}

/** Without the message: it often has a number that changes with each failure. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, type } = error as { code?: unknown; type?: unknown }
  return `${error.name} ${code} ${type}`
}
