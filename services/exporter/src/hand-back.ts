import type { Db } from '@streamledger/db'
import type { Job } from 'graphile-worker'
import { sql } from 'kysely'

/** Jobs that were interrupted by a drain, not by a failure. They go back into the queue. */
export interface HandBack {
  add(job: Job): void
  /**
   * Makes them due at once and does not count the interrupted attempt, so that restarts never use up an export's
   * attempts. Call it after the worker has released the jobs; jobs that another exporter has taken are left alone.
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
