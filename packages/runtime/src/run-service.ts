import closeWithGrace from 'close-with-grace'
import { collectGarbage } from './collect-garbage.ts'
import { flushLog, type Logger } from './create-logger.ts'
import { RELEASE } from './release.ts'

export interface RunningService {
  /** Finishes running work and releases all resources. */
  stop(): Promise<void>
}

/**
 * Starts a service, and stops it on SIGTERM, SIGINT or an uncaught error. If the stop takes longer than the deadline,
 * the process exits. Exit code 0 only after an orderly stop.
 */
export async function runService(
  logger: Logger,
  drainTimeoutMs: number,
  start: () => Promise<RunningService>,
): Promise<void> {
  let running: RunningService | undefined
  const onTimeout = (): void => logger.error({ drainTimeoutMs }, 'stop took too long, exiting')
  closeWithGrace({ delay: drainTimeoutMs, logger: false, onTimeout }, async ({ signal, err }) => {
    if (err) logger.fatal({ err }, 'uncaught error, stopping')
    else logger.info({ signal }, 'stopping')
    await running?.stop()
    logger.info('stopped')
    await flushLog(logger)
  })
  logger.info({ version: RELEASE, node: process.version }, 'starting')
  try {
    running = await start()
    collectGarbage()
  } catch (error) {
    logger.fatal({ err: error }, 'could not start')
    await flushLog(logger)
    process.exit(1)
  }
}
