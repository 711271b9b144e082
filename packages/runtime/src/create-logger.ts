import { type Logger, type LoggerOptions as PinoOptions, pino, stdTimeFunctions } from 'pino'
import { describeError } from './describe-error.ts'
import { LogSink } from './log-sink.ts'

export type { Logger } from 'pino'

export interface LoggerOptions {
  service: string
  level: string
  /** Defaults to stdout; a program that prints its results there logs to stderr. */
  stream?: 'stdout' | 'stderr'
}

/** Fields with these names, at the top or one level down, are secret or personal, and are redacted. */
const SECRET_NAMES = [
  'password',
  'token',
  'refresh_token',
  'access_token',
  'authorization',
  'cookie',
  'email',
  'secret',
]
/** How long the end of a program waits for its last log lines to be written. */
const FLUSH_TIMEOUT_MS = 1_000

const sinks = new Map<1 | 2, LogSink>()

/** Logs JSON lines. They are buffered, so that a request does not wait, and flushed after 10 ms and at exit. */
export function createLogger({ service, level, stream = 'stdout' }: LoggerOptions): Logger {
  const options: PinoOptions = {
    level,
    base: { service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: describeError },
    redact: { paths: SECRET_NAMES.flatMap((name) => [name, `*.${name}`, `*.headers.${name}`]), censor: '[redacted]' },
  }
  return pino(options, sinkOf(stream === 'stdout' ? 1 : 2))
}

/** Waits until the log lines are written, for a second at most. */
export async function flushLog(logger: Logger): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FLUSH_TIMEOUT_MS)
    logger.flush(() => resolve())
  })
  clearTimeout(timer)
}

function sinkOf(fd: 1 | 2): LogSink {
  const sink = sinks.get(fd) ?? new LogSink(fd)
  sinks.set(fd, sink)
  return sink
}
