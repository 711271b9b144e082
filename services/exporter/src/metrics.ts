import type { Db } from '@streamledger/db'
import { EXPORT_TASK } from '@streamledger/events'
import { sql } from 'kysely'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

export type AttemptOutcome = 'succeeded' | 'failed' | 'cancelled' | 'replaced' | 'interrupted' | 'retried'

export interface ExporterMetrics {
  /** `succeeded`, `failed` and `cancelled` end the export; the others only the attempt. */
  attempts: Counter<'outcome'>
  /** Exports that have failed for good, by the code that their users see. */
  failures: Counter<'code'>
  /** Exporters that this one found dead. */
  lost: Counter
  /** Files that nobody's export points to any more, removed. */
  swept: Counter
  rows: Counter
  duration: Histogram
  running: Gauge
}

export function createExporterMetrics(registry: Registry, db: Db): ExporterMetrics {
  const registers = [registry]
  new Gauge({
    name: 'streamledger_export_jobs_waiting',
    help: 'Export jobs that are due and that no exporter has taken; -1 if the database does not answer.',
    registers,
    async collect() {
      // A scrape must tell the rest even while the database is down.
      this.set(await countWaitingJobs(db).catch(() => -1))
    },
  })
  return {
    attempts: new Counter({
      name: 'streamledger_export_attempts_total',
      help: 'Attempts at exports by how they ended; succeeded, failed and cancelled finish the export.',
      labelNames: ['outcome'],
      registers,
    }),
    failures: new Counter({
      name: 'streamledger_export_failures_total',
      help: 'Exports that have failed for good, by the code that their users see.',
      labelNames: ['code'],
      registers,
    }),
    lost: new Counter({
      name: 'streamledger_exporters_lost_total',
      help: 'Exporters that this one found dead, and whose exports it freed.',
      registers,
    }),
    swept: new Counter({
      name: 'streamledger_export_files_swept_total',
      help: 'Files of attempts that came to nothing, found and removed later.',
      registers,
    }),
    rows: new Counter({
      name: 'streamledger_export_rows_total',
      help: 'Rows written into workbooks, those of attempts that came to nothing included.',
      registers,
    }),
    duration: new Histogram({
      name: 'streamledger_export_duration_seconds',
      help: 'From the start of the attempt that succeeded to its publication.',
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160],
      registers,
    }),
    running: new Gauge({
      name: 'streamledger_exports_running',
      help: 'Exports that this exporter is writing.',
      registers,
    }),
  }
}

async function countWaitingJobs(db: Db): Promise<number> {
  const { rows } = await sql<{ waiting: number }>`
    select count(*) as waiting from graphile_worker.jobs
    where task_identifier = ${EXPORT_TASK} and run_at <= now() and locked_at is null and attempts < max_attempts
  `.execute(db)
  return rows[0]?.waiting ?? 0
}
