import type { Logger } from '@streamledger/runtime'
import { Logger as GraphileLogger, type LogLevel } from 'graphile-worker'
import { endedBy } from './errors.ts'

const LEVELS = { error: 'error', warning: 'warn', info: 'debug', debug: 'trace' } as const satisfies Record<
  LogLevel,
  string
>

/** Sends graphile-worker's messages to the service's log. Its "info" is one line per job; the task logs its own. */
export function createWorkerLogger(logger: Logger): GraphileLogger {
  return new GraphileLogger(({ label, workerId, taskIdentifier, jobId }) => (level, message, meta) => {
    const err = meta.error ?? meta.fatalError
    // graphile-worker reports a job that a drain interrupted as failed.
    const severity = endedBy(err, 'interrupted') ? 'debug' : LEVELS[level]
    // The message repeats the error's stack after its first line; `err` has it already.
    logger[severity]({ label, workerId, taskIdentifier, jobId, err }, message.split('\n', 1)[0])
  })
}
