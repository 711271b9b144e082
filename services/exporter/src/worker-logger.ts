import type { Logger } from '@streamledger/runtime'
import { Logger as GraphileLogger, type LogLevel } from 'graphile-worker'
import { endedBy } from './errors.ts'

const LEVELS = { error: 'error', warning: 'warn', info: 'debug', debug: 'trace' } as const satisfies Record<
  LogLevel,
  string
>

/** Sends what graphile-worker says to the service's log. Its "info" is a line a job, of which the task writes its own. */
export function createWorkerLogger(logger: Logger): GraphileLogger {
  return new GraphileLogger(({ label, workerId, taskIdentifier, jobId }) => (level, message, meta) => {
    const err = meta.error ?? meta.fatalError
    // A job that a drain interrupted is reported as failed, although nothing is wrong with it.
    const severity = endedBy(err, 'interrupted') ? 'debug' : LEVELS[level]
    // An error's stack is in `err`; the message repeats it in the lines after its first.
    logger[severity]({ label, workerId, taskIdentifier, jobId, err }, message.split('\n', 1)[0])
  })
}
