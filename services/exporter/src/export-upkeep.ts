import type { Db } from '@streamledger/db'
import { EXPORT_ATTEMPTS_MAX, EXPORT_TASK } from '@streamledger/events'
import { sql } from 'kysely'
import type { ExportFailure } from './errors.ts'

const LOST: ExportFailure = 'exporter_lost'
/** Rows that one statement changes, at most: none may last. */
const BATCH_ROWS = 100

/**
 * Fails exports whose job has no attempt left and whose last attempt could not say so itself, because its process was
 * killed: an export that takes every exporter down must not go round for ever. A job whose time is yet to come was
 * handed back in order, by an exporter that is about to give it its attempt again.
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

/** Gives a new job to exports that wait for one that is gone, whoever removed it: row and job are made in one commit. */
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
 * Moves exports that wait up by one place. The API gives a user's first unfinished export place 0, the second place 1,
 * and lower places come first: nobody's five make another's one wait, and by this nobody's fifth waits for ever.
 * What is being written, or was tried for the last time, has no use for its place; graphile-worker leaves the former alone.
 */
export async function moveUp(db: Db): Promise<void> {
  await sql`
    select graphile_worker.reschedule_jobs(array_agg(id), priority := priority - 1) from graphile_worker.jobs
    where task_identifier = ${EXPORT_TASK} and priority > 0
    group by priority`.execute(db)
}

/** Ends the time of files that have had it. @returns the files, which are to be removed now */
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

/** Forgets jobs that have failed for good long ago, which graphile-worker keeps for ever. It leaves those alone that still run. */
export async function forgetFailedJobs(db: Db, keptH: number): Promise<void> {
  await sql`
    select graphile_worker.complete_jobs(array(
      select id from graphile_worker.jobs
      where task_identifier = ${EXPORT_TASK} and attempts >= max_attempts
        and run_at < now() - make_interval(hours => ${keptH})
      limit ${BATCH_ROWS}))`.execute(db)
}
