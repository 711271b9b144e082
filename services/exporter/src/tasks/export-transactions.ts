import { randomUUID } from 'node:crypto'
import type { Db } from '@streamledger/db'
import type { Logger } from '@streamledger/runtime'
import { readTraceContext, type Tracing, traceFields } from '@streamledger/tracing'
import type { Job, Task } from 'graphile-worker'
import { startAttemptSpan } from '../attempt-span.ts'
import type { CpuBudget } from '../cpu-budget.ts'
import { ExportError, type ExportFailure, endedBy, failureOf } from '../errors.ts'
import {
  type AttemptKey,
  type ExportAttempt,
  failAttempt,
  finishAttempt,
  releaseAttempt,
  reportAttempt,
  startAttempt,
} from '../export-attempt.ts'
import type { Draft, ExportStore, PublishedFile } from '../export-store.ts'
import type { HandBack } from '../hand-back.ts'
import type { AttemptOutcome, ExporterMetrics } from '../metrics.ts'
import { parseExportRequested } from '../parse-export-requested.ts'
import { retryUnavailable } from '../retry-unavailable.ts'
import { changeOf } from '../tally.ts'
import { transactionPages } from '../transaction-pages.ts'
import { createTransactionWorkbook, type TransactionWorkbook } from '../workbook.ts'

export interface ExportDeps {
  db: Db
  store: ExportStore
  cpuBudget: CpuBudget
  handBack: HandBack
  metrics: ExporterMetrics
  logger: Logger
  /** Undefined: tracing is off. */
  tracing?: Tracing | undefined
  options: { pageRows: number; progressIntervalMs: number; ttlH: number; patienceMs: number }
}

/** Writes one export. Safe to run twice, and twice at once: only the latest attempt can publish. */
export function exportTransactions(deps: ExportDeps): Task {
  return async (payload, { job, abortSignal }) => {
    const { export_id, ...carrier } = parseExportRequested(payload)
    const key = { id: export_id, attempt: randomUUID() }
    const ordered = readTraceContext(carrier)
    const span = startAttemptSpan(deps.tracing, ordered, key, job)
    const trace = traceFields(span?.context ?? ordered)
    const logger = deps.logger.child({ export_id, attempt: key.attempt, job_attempt: job.attempts, ...trace })
    const record = (outcome: AttemptOutcome, failure?: ExportFailure): void => {
      deps.metrics.attempts.inc({ outcome })
      span?.set({ 'streamledger.outcome': outcome })
      if (failure !== undefined) span?.fail(failure)
    }
    const startedAt = performance.now()
    deps.metrics.running.inc()
    try {
      const rows = await runAttempt(deps, key, abortSignal)
      if (rows === undefined) return logger.info('this export needs no more work')
      const durationMs = Math.round(performance.now() - startedAt)
      record('succeeded')
      deps.metrics.duration.observe(durationMs / 1_000)
      logger.info({ rows, durationMs }, 'export succeeded')
    } catch (error) {
      await endAttempt({ ...deps, logger, record }, key, job, abortSignal.aborted ? interrupted(error) : error)
    } finally {
      deps.metrics.running.dec()
      span?.end()
    }
  }
}

function interrupted(error: unknown): unknown {
  // Aborted work fails with errors of many kinds.
  return error instanceof ExportError ? error : new ExportError('interrupted', { cause: error })
}

/** @returns the number of rows published; undefined if there was nothing to do */
async function runAttempt(deps: ExportDeps, key: AttemptKey, signal: AbortSignal): Promise<number | undefined> {
  const patience = { patienceMs: deps.options.patienceMs, signal }
  const attempt = await retryUnavailable(() => startAttempt(deps.db, key), patience)
  if (!attempt) return undefined
  const name = { exportId: attempt.id, attempt: attempt.attempt }
  // Only what that attempt left: this exporter may have been frozen, and a later attempt may have published by now. What
  // is older is swept.
  if (attempt.replaced) await deps.store.removeAttempt({ ...name, attempt: attempt.replaced })
  await using draft = await deps.store.openDraft(name)
  const rows = await writeRows(deps, attempt, draft, signal)
  await publish(deps, key, { file: await draft.publish(signal), rows })
  return rows
}

async function writeRows(deps: ExportDeps, attempt: ExportAttempt, draft: Draft, signal: AbortSignal): Promise<number> {
  const { db, metrics, options } = deps
  const { begin, rest } = deps.cpuBudget
  begin()
  const workbook = createTransactionWorkbook(draft.stream, { currency: attempt.currency, signal, rest })
  let reportedAt = performance.now()
  for await (const page of transactionPages(db, attempt, { ...options, signal })) {
    await workbook.addPage(page)
    metrics.rows.inc(page.length)
    if (performance.now() - reportedAt < options.progressIntervalMs) continue
    await retryUnavailable(() => reportAttempt(db, attempt, { rows_done: workbook.rows }), { ...options, signal })
    reportedAt = performance.now()
  }
  requireReconciled(attempt, workbook)
  await workbook.finish({ ...attempt, generatedAt: new Date() })
  return workbook.rows
}

/**
 * The history is append only, so a difference is a bug in the exporter or the ledger. Such a file must not be
 * published.
 */
function requireReconciled(attempt: ExportAttempt, { rows, tally }: TransactionWorkbook): void {
  if (rows !== attempt.rowsTotal) throw new ExportError('rows_changed')
  const { entry, openingBalance, closingBalance } = attempt
  const addsUp = BigInt(openingBalance) + changeOf(tally) === BigInt(closingBalance)
  if (entry === null && !addsUp) throw new ExportError('balances_differ')
}

async function publish(
  { db, store, options }: ExportDeps,
  key: AttemptKey,
  { file: published, rows }: { file: PublishedFile; rows: number },
): Promise<void> {
  try {
    // Retried even during a drain: all other work is done.
    await retryUnavailable(() => finishAttempt(db, key, { ...published, rows, ttlH: options.ttlH }), options)
  } catch (error) {
    // Remove the file only if the statement was refused. After any other error the row may point to the file; the next
    // attempt finds out, and removes files that no row points to.
    if (endedBy(error, 'cancelled') || endedBy(error, 'replaced')) await store.remove(published.file)
    throw error
  }
}

/** The dependencies of one attempt. */
interface AttemptDeps extends ExportDeps {
  /** Records how the attempt has ended, in metrics and span. */
  record(outcome: AttemptOutcome, failure?: ExportFailure): void
}

/** Updates the export after an attempt that published no file, and throws if graphile-worker must fail the job. */
async function endAttempt(deps: AttemptDeps, key: AttemptKey, job: Job, error: unknown): Promise<void> {
  const { db, handBack, metrics, logger, options, record } = deps
  if (endedBy(error, 'cancelled')) {
    record('cancelled')
    return logger.info('export cancelled')
  }
  // Another worker has the job now. graphile-worker completes any job by its id, but fails only jobs that it holds. So
  // failing it does no harm.
  if (endedBy(error, 'replaced')) {
    record('replaced')
    logger.warn('another attempt has replaced this one')
    throw error
  }
  if (endedBy(error, 'interrupted')) {
    record('interrupted')
    logger.info('handing the export back')
    handBack.add(job)
    await releaseAttempt(db, key)
    throw error
  }
  const failure = failureOf(error)
  const isLast = job.attempts >= job.max_attempts
  record(isLast ? 'failed' : 'retried', failure)
  if (isLast) metrics.failures.inc({ code: failure })
  logger.error(
    { err: error, failure },
    isLast ? 'export failed for good' : 'attempt failed, the export will be retried',
  )
  // By waiting here for the database, the worker, which does not retry long, can then write the failure of the job.
  await retryUnavailable(() => (isLast ? failAttempt(db, key, failure) : releaseAttempt(db, key)), options)
  throw error
}
