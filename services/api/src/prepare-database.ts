import { type ClaimInstallation, claimInstallation, type Db, isUnavailable, migrate } from '@streamledger/db'
import { backOffMs, type Logger, sleep } from '@streamledger/runtime'

export interface PrepareDatabase {
  url: string
  /** How long to wait for a database that is down. */
  startTimeoutMs: number
  installation: ClaimInstallation
}

const BACK_OFF = { baseMs: 250, maxMs: 5_000 }

/** Migrates the database and holds it to this installation; waits for one that is down, within a bound. */
export async function prepareDatabase(db: Db, options: PrepareDatabase, logger: Logger): Promise<void> {
  const deadline = performance.now() + options.startTimeoutMs
  for (let attempt = 1; ; attempt += 1) {
    try {
      await migrate(options.url, { onApply: (migration) => logger.info({ migration }, 'migrated') })
      await claimInstallation(db, options.installation)
      return
    } catch (error) {
      if (!isUnavailable(error)) throw error
      const waitMs = backOffMs(attempt, BACK_OFF)
      if (performance.now() + waitMs > deadline) throw unreachable(options, error)
      logger.warn({ attempt, reason: (error as Error).message }, 'the database cannot be reached, trying again')
      await sleep(waitMs)
    }
  }
}

function unreachable({ url, startTimeoutMs }: PrepareDatabase, cause: unknown): Error {
  const { host } = new URL(url) // never the whole: it has the password in it
  return new Error(
    `Postgres at ${host} could not be reached for ${startTimeoutMs / 1_000} s. Is it running, and is DATABASE_URL right?`,
    { cause },
  )
}
