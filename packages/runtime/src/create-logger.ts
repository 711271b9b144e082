import { destination, type Logger, type LoggerOptions as PinoOptions, pino, stdTimeFunctions } from 'pino'
import { describeError } from './describe-error.ts'

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
const BUFFER_BYTES = 4_096

/** Logs JSON lines. They are buffered, so that a request does not wait, and flushed twice a second and at exit. */
export function createLogger({ service, level, stream = 'stdout' }: LoggerOptions): Logger {
  const options: PinoOptions = {
    level,
    base: { service },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: describeError },
    redact: { paths: SECRET_NAMES.flatMap((name) => [name, `*.${name}`, `*.headers.${name}`]), censor: '[redacted]' },
  }
  return pino(
    options,
    destination({ dest: stream === 'stdout' ? 1 : 2, sync: false, minLength: BUFFER_BYTES, periodicFlush: 500 }),
  )
}
