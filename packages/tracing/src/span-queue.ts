import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace'
import { type Logger, sleep } from '@streamledger/runtime'
import type { SpanCounter } from './span-counter.ts'

/** Maximum number of waiting spans; further ones are dropped. With 1 to 2 KB each, about 3 MB. */
const WAITING_MAX = 2_048
/** Maximum number of spans per request. */
const BATCH_MAX = 512
/** How long the first span of a batch waits for others. */
const DELAY_MS = 1_000
/** Minimum interval between two log lines about failed requests. */
const WARN_INTERVAL_MS = 60_000
const SUCCESS = 0

export interface SpanQueueDeps {
  exporter: SpanExporter
  counter: SpanCounter
  logger: Logger
  exportTimeoutMs: number
}

/**
 * Sends spans to the collector: one request at a time, with a bounded queue. OpenTelemetry's BatchSpanProcessor does
 * not report the number of dropped spans, and has no limit on the duration of a stop.
 */
export class SpanQueue implements SpanProcessor {
  readonly #deps: SpanQueueDeps
  #waiting: ReadableSpan[] = []
  #timer: NodeJS.Timeout | undefined
  #sending: Promise<void> | undefined
  #warnedAt = Number.NEGATIVE_INFINITY

  constructor(deps: SpanQueueDeps) {
    this.#deps = deps
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.#waiting.length >= WAITING_MAX) this.#deps.counter.inc({ outcome: 'dropped' })
    else this.#waiting.push(span)
    this.#arrange()
  }

  /** Sends waiting spans until all are sent or the time is over; the rest is dropped. */
  async close(timeoutMs: number): Promise<void> {
    const over = new AbortController()
    const deadline = sleep(timeoutMs, over.signal)
    const left = async (): Promise<void> => {
      while (this.#sending ?? this.#waiting.length > 0) await (this.#sending ?? this.#send())
    }
    await Promise.race([left(), deadline])
    over.abort()
    this.#deps.counter.inc({ outcome: 'dropped' }, this.#waiting.length)
    this.#waiting = []
    clearTimeout(this.#timer)
  }

  forceFlush(): Promise<void> {
    return this.#sending ?? this.#send()
  }

  shutdown(): Promise<void> {
    return this.close(this.#deps.exportTimeoutMs)
  }

  #arrange(): void {
    if (this.#sending || this.#waiting.length === 0) return
    if (this.#waiting.length >= BATCH_MAX) void this.#send()
    else this.#timer ??= setTimeout(() => void this.#send(), DELAY_MS).unref()
  }

  #send(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#sending = this.#export(this.#waiting.splice(0, BATCH_MAX)).finally(() => {
      this.#sending = undefined
      this.#arrange()
    })
    return this.#sending
  }

  /** Never rejects: a failure of tracing must not affect the traced work. */
  async #export(spans: ReadableSpan[]): Promise<void> {
    const { exporter, exportTimeoutMs, counter } = this.#deps
    const answered = new AbortController()
    // The exporter's own timeout does not fire for a collector that sends its answer byte by byte.
    const late = sleep(exportTimeoutMs, answered.signal).then(() => new Error('the collector did not answer in time'))
    const result = new Promise<Error | undefined>((resolve) => {
      exporter.export(spans, ({ code, error }) =>
        resolve(code === SUCCESS ? undefined : (error ?? new Error('the collector did not accept them'))),
      )
    })
    const error = await Promise.race([result, late])
    answered.abort()
    counter.inc({ outcome: error ? 'failed' : 'sent' }, spans.length)
    if (error) this.#warn(error, spans.length)
  }

  #warn(error: Error, spans: number): void {
    const now = performance.now()
    if (now - this.#warnedAt < WARN_INTERVAL_MS) return
    this.#warnedAt = now
    this.#deps.logger.warn({ err: error, spans }, 'spans could not be sent to the collector')
  }
}
