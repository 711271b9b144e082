import type { Database, Db } from '@streamledger/db'
import { EXPORT_TASK } from '@streamledger/events'
import { observePools } from '@streamledger/runtime'
import { sql } from 'kysely'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { exportFailures } from './errors.ts'

const attemptOutcomes = ['succeeded', 'failed', 'cancelled', 'replaced', 'interrupted', 'retried'] as const
export type AttemptOutcome = (typeof attemptOutcomes)[number]

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

export function createExporterMetrics(
  registry: Registry,
  { db, pool }: Pick<Database, 'db' | 'pool'>,
): ExporterMetrics {
  const registers = [registry]
  observePools(registry, { main: pool })
  observeQueue(registry, db)
  return {
    attempts: createCounterBy('outcome', attemptOutcomes, {
      name: 'streamledger_export_attempts_total',
      help: 'Attempts at exports by how they ended; succeeded, failed and cancelled finish the export.',
      registers,
    }),
    failures: createCounterBy('code', Object.keys(exportFailures), {
      name: 'streamledger_export_failures_total',
      help: 'Exports that have failed for good, by the code that their users see.',
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

/** Every value is told from the start: what goes from nothing to 1 has not risen, for Prometheus. */
function createCounterBy<Label extends string>(
  label: Label,
  values: readonly string[],
  options: { name: string; help: string; registers: Registry[] },
): Counter<Label> {
  const counter = new Counter({ ...options, labelNames: [label] })
  for (const value of values) counter.labels(value).inc(0)
  return counter
}

/** Whoever scrapes is told all the rest while the database is down, and of this, that nothing is known. */
const UNKNOWN = -1

function observeQueue(registry: Registry, db: Db): void {
  // All gauges are collected at once: they share a look.
  let look: Promise<ExportQueue> | undefined
  const lookOnce = (): Promise<ExportQueue> => {
    look ??= readQueue(db).finally(() => {
      look = undefined
    })
    return look
  }
  const gauge = (name: string, help: string, choose: (queue: ExportQueue) => number) =>
    new Gauge({
      name: `streamledger_export_${name}`,
      help: `${help}; -1 if the database does not answer.`,
      registers: [registry],
      async collect() {
        this.set(await lookOnce().then(choose, () => UNKNOWN))
      },
    })
  gauge('jobs_waiting', 'Export jobs that are due and that no exporter has taken', ({ waiting }) => waiting)
  gauge(
    'oldest_seconds',
    'How long the oldest export job that no exporter has taken has been due, 0 if there is none',
    ({ oldest_s }) => oldest_s,
  )
}

interface ExportQueue {
  waiting: number
  oldest_s: number
}

async function readQueue(db: Db): Promise<ExportQueue> {
  const { rows } = await sql<ExportQueue>`
    select count(*)::int as waiting, coalesce(extract(epoch from now() - min(run_at)), 0)::float8 as oldest_s
      from graphile_worker.jobs
     where task_identifier = ${EXPORT_TASK} and run_at <= now() and locked_at is null and attempts < max_attempts
  `.execute(db)
  return rows[0] ?? { waiting: 0, oldest_s: 0 }
}
