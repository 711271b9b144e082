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
  /** Exports that have failed for good, by the code that users see. */
  failures: Counter<'code'>
  /** Exporters that this one declared dead. */
  lost: Counter
  /** Files that were removed because no export points to them. */
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
      help: 'Attempts at exports, by outcome; succeeded, failed and cancelled finish the export.',
      registers,
    }),
    failures: createCounterBy('code', Object.keys(exportFailures), {
      name: 'streamledger_export_failures_total',
      help: 'Exports that have failed for good, by the code that users see.',
      registers,
    }),
    lost: new Counter({
      name: 'streamledger_exporters_lost_total',
      help: 'Exporters that this one declared dead and whose jobs it released.',
      registers,
    }),
    swept: new Counter({
      name: 'streamledger_export_files_swept_total',
      help: 'Leftover files that were removed because no export points to them.',
      registers,
    }),
    rows: new Counter({
      name: 'streamledger_export_rows_total',
      help: 'Rows written into workbooks, including those of failed attempts.',
      registers,
    }),
    duration: new Histogram({
      name: 'streamledger_export_duration_seconds',
      help: 'Time from the start of the attempt that succeeded to the publication of its file.',
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

/** Each label value starts at 0: if a series first appears with 1, Prometheus does not see an increase. */
function createCounterBy<Label extends string>(
  label: Label,
  values: readonly string[],
  options: { name: string; help: string; registers: Registry[] },
): Counter<Label> {
  const counter = new Counter({ ...options, labelNames: [label] })
  for (const value of values) counter.labels(value).inc(0)
  return counter
}

/** The value of queue gauges while the database is down. */
const UNKNOWN = -1

function observeQueue(registry: Registry, db: Db): void {
  // All gauges are collected at once, so they share one query.
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
      help: `${help}; -1 while the database is down.`,
      registers: [registry],
      async collect() {
        this.set(await lookOnce().then(choose, () => UNKNOWN))
      },
    })
  gauge('jobs_waiting', 'Export jobs that are due but not taken by an exporter', ({ waiting }) => waiting)
  gauge(
    'oldest_seconds',
    'Time since the oldest waiting export job became due, 0 if there is none',
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
