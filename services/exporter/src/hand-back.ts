import type { Db } from '@streamledger/db'
import type { Job } from 'graphile-worker'
import { sql } from 'kysely'

/** Jobs that were interrupted by a drain, not by a failure. */
export interface HandBack {
  add(job: Job): void
  /**
   * Makes them due at once and takes back the attempt that the drain cost, so that restarts never use an export's
   * attempts up. To be called when the worker has let go of them; one that another exporter has taken is left alone.
   */
  flush(): Promise<void>
}

export function createHandBack(db: Db): HandBack {
  const jobs: Job[] = []
  return {
    add: (job) => void jobs.push(job),
    async flush() {
      for (const job of jobs.splice(0)) {
        const attempts = Math.max(0, job.attempts - 1)
        await sql`
          select from graphile_worker.reschedule_jobs(array[${job.id}]::bigint[], run_at := now(), attempts := ${attempts}::int)
        `.execute(db)
      }
    },
  }
}
