import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace'
import { type Logger, sleep } from '@streamledger/runtime'
import type { SpanCounter } from './span-counter.ts'

/** Spans that wait for the collector at most; what comes on top is dropped. With 1 to 2 KB each, about 3 MB. */
const WAITING_MAX = 2_048
/** Spans of one request. */
const BATCH_MAX = 512
/** How long the first of a batch waits for others. */
const DELAY_MS = 1_000
/** A collector that is down is told of once in this time. */
const TELL_INTERVAL_MS = 60_000
const SUCCESS = 0

export interface SpanQueueDeps {
  exporter: SpanExporter
  counter: SpanCounter
  logger: Logger
  exportTimeoutMs: number
}

/**
 * Spans on their way to the collector: one request at a time, a bounded number that waits. OpenTelemetry's own, the
 * BatchSpanProcessor, counts what it drops for nobody, and can't be told how long a stop may wait.
 */
export class SpanQueue implements SpanProcessor {
  readonly #deps: SpanQueueDeps
  #waiting: ReadableSpan[] = []
  #timer: NodeJS.Timeout | undefined
  #sending: Promise<void> | undefined
  #toldAt = Number.NEGATIVE_INFINITY

  constructor(deps: SpanQueueDeps) {
    this.#deps = deps
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.#waiting.length >= WAITING_MAX) this.#deps.counter.inc({ outcome: 'dropped' })
    else this.#waiting.push(span)
    this.#arrange()
  }

  /** Sends what waits, until all of it is sent or the time is over; nothing is promised to what is left. */
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

  /** Never rejects: whoever is traced has nothing to do with what becomes of the trace. */
  async #export(spans: ReadableSpan[]): Promise<void> {
    const { exporter, exportTimeoutMs, counter } = this.#deps
    const answered = new AbortController()
    // A collector that sends its answer byte by byte is never idle long enough for the exporter's own time-out.
    const late = sleep(exportTimeoutMs, answered.signal).then(() => new Error('the collector did not answer in time'))
    const result = new Promise<Error | undefined>((resolve) => {
      exporter.export(spans, ({ code, error }) =>
        resolve(code === SUCCESS ? undefined : (error ?? new Error('the collector did not take them'))),
      )
    })
    const error = await Promise.race([result, late])
    answered.abort()
    counter.inc({ outcome: error ? 'failed' : 'sent' }, spans.length)
    if (error) this.#tell(error, spans.length)
  }

  #tell(error: Error, spans: number): void {
    const now = performance.now()
    if (now - this.#toldAt < TELL_INTERVAL_MS) return
    this.#toldAt = now
    this.#deps.logger.warn({ err: error, spans }, 'spans could not be sent to the collector')
  }
}
