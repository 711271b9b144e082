import type { Db } from '@streamledger/db'
import { EXPORT_ATTEMPTS_MAX, EXPORT_TASK } from '@streamledger/events'
import { sql } from 'kysely'
import type { ExportFailure } from './errors.ts'

const LOST: ExportFailure = 'exporter_lost'
/** Maximum number of rows per statement, so that each statement is short. */
const BATCH_ROWS = 100

/**
 * Fails exports whose job has no attempt left, and whose last attempt could not fail them itself because its process
 * was killed. Otherwise an export that crashes exporters would be retried forever. A job with a `run_at` in the future
 * is left alone: a stopping exporter is handing it back, and is about to restore its attempt.
 */
export async function failExhausted(db: Db): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    update exports set status = 'failed', error = ${LOST}, finished_at = now()
    from graphile_worker.jobs job
    where exports.status in ('queued', 'running') and job.key = ${EXPORT_TASK} || ':' || exports.id
      and job.attempts >= job.max_attempts and job.locked_at is null and job.run_at <= now()
    returning exports.id`.execute(db)
  return rows.map(({ id }) => id)
}

/**
 * Creates a new job for each unfinished export without one. Row and job are created in one commit, so the job was
 * removed.
 */
export async function requeueOrphans(db: Db): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select orphan.id, graphile_worker.add_job(${EXPORT_TASK}, json_build_object('export_id', orphan.id),
      job_key := ${EXPORT_TASK} || ':' || orphan.id, max_attempts := ${EXPORT_ATTEMPTS_MAX}::int)
    from (
      select id from exports
      where status in ('queued', 'running')
        and not exists (select from graphile_worker.jobs job where job.key = ${EXPORT_TASK} || ':' || exports.id)
      limit ${BATCH_ROWS}
    ) orphan`.execute(db)
  return rows.map(({ id }) => id)
}

/**
 * Moves waiting exports up by one priority. The API gives a user's first unfinished export priority 0, the second 1,
 * and so on; lower values run first. So five exports of one user do not delay another user's first, and thanks to this
 * function none waits forever. Jobs that are running or have no attempt left do not need a priority; graphile-worker
 * does not change running ones.
 */
export async function moveUp(db: Db): Promise<void> {
  await sql`
    select graphile_worker.reschedule_jobs(array_agg(id), priority := priority - 1) from graphile_worker.jobs
    where task_identifier = ${EXPORT_TASK} and priority > 0
    group by priority`.execute(db)
}

/** Expires exports whose time is over. @returns their files, which the caller must remove */
export async function expireExports(db: Db): Promise<string[]> {
  const { rows } = await sql<{ file: string }>`
    update exports set status = 'expired', file = null
    from (
      select id, file from exports where status = 'succeeded' and expires_at <= now()
      order by expires_at limit ${BATCH_ROWS} for update skip locked
    ) late
    where exports.id = late.id
    returning late.file`.execute(db)
  return rows.map(({ file }) => file)
}

/** Deletes jobs that failed for good long ago; graphile-worker keeps them forever. It skips jobs that are running. */
export async function forgetFailedJobs(db: Db, keptH: number): Promise<void> {
  await sql`
    select graphile_worker.complete_jobs(array(
      select id from graphile_worker.jobs
      where task_identifier = ${EXPORT_TASK} and attempts >= max_attempts
        and run_at < now() - make_interval(hours => ${keptH})
      limit ${BATCH_ROWS}))`.execute(db)
}
