import { destination, type Logger, type LoggerOptions as PinoOptions, pino, stdTimeFunctions } from 'pino'
import { describeError } from './describe-error.ts'

export type { Logger } from 'pino'

export interface LoggerOptions {
  service: string
  level: string
  /** Where the lines go; stdout unless something else is written there. */
  stream?: 'stdout' | 'stderr'
}

/** Whatever names these carry, at the top or one level down, is a secret or a person. */
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

/** JSON lines, buffered and written off the request's path; the buffer is flushed twice a second and at exit. */
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
