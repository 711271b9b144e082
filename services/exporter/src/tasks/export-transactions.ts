import { randomUUID } from 'node:crypto'
import type { Db } from '@streamledger/db'
import { growYoungSpace, type Logger } from '@streamledger/runtime'
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
  /** Undefined where nothing is traced. */
  tracing?: Tracing | undefined
  options: { pageRows: number; progressIntervalMs: number; ttlH: number; patienceMs: number }
}

/** Rows are garbage soon; in a megabyte, it would have to be looked for after every few hundred of them. */
const YOUNG_SPACE_MB = 8

/** Writes one export. Safe to run twice, and twice at once: only the latest attempt can publish. */
export function exportTransactions(deps: ExportDeps): Task {
  return async (payload, { job, abortSignal }) => {
    const { export_id, ...carrier } = parseExportRequested(payload)
    const key = { id: export_id, attempt: randomUUID() }
    const ordered = readTraceContext(carrier)
    const span = startAttemptSpan(deps.tracing, ordered, key, job)
    const trace = traceFields(span?.context ?? ordered)
    const logger = deps.logger.child({ export_id, attempt: key.attempt, job_attempt: job.attempts, ...trace })
    const tell = (outcome: AttemptOutcome, failure?: ExportFailure): void => {
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
      tell('succeeded')
      deps.metrics.duration.observe(durationMs / 1_000)
      logger.info({ rows, durationMs }, 'export succeeded')
    } catch (error) {
      await endAttempt({ ...deps, logger, tell }, key, job, abortSignal.aborted ? interrupted(error) : error)
    } finally {
      deps.metrics.running.dec()
      span?.end()
    }
  }
}

function interrupted(error: unknown): unknown {
  // Whatever an abort broke off reports it in its own way.
  return error instanceof ExportError ? error : new ExportError('interrupted', { cause: error })
}

/** @returns the rows that were published; undefined if nothing was to be done. */
async function runAttempt(deps: ExportDeps, key: AttemptKey, signal: AbortSignal): Promise<number | undefined> {
  const patience = { patienceMs: deps.options.patienceMs, signal }
  const attempt = await retryUnavailable(() => startAttempt(deps.db, key), patience)
  if (!attempt) return undefined
  const name = { exportId: attempt.id, attempt: attempt.attempt }
  if (attempt.repeated) await deps.store.removeOthers(name)
  await using draft = await deps.store.openDraft(name)
  const rows = await writeRows(deps, attempt, draft, signal)
  await publish(deps, key, { file: await draft.publish(signal), rows })
  return rows
}

async function writeRows(deps: ExportDeps, attempt: ExportAttempt, draft: Draft, signal: AbortSignal): Promise<number> {
  const { db, metrics, options } = deps
  growYoungSpace(YOUNG_SPACE_MB)
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

/** The history is append only: whatever does not add up is a fault of ours, or of the ledger, that nobody may download. */
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
    // Not given up when the drain begins: the work is done, and only this statement is missing.
    await retryUnavailable(() => finishAttempt(db, key, { ...published, rows, ttlH: options.ttlH }), options)
  } catch (error) {
    // Only an attempt that was told no may remove its file. After any other error the row may point to it; the next
    // attempt knows, and removes what is nobody's.
    if (endedBy(error, 'cancelled') || endedBy(error, 'replaced')) await store.remove(published.file)
    throw error
  }
}

/** As an attempt has them. */
interface AttemptDeps extends ExportDeps {
  /** Notes how the attempt has ended, and the failure if it is one. */
  tell(outcome: AttemptOutcome, failure?: ExportFailure): void
}

/** Settles the export after an attempt without a file, and throws whatever the worker must know of. */
async function endAttempt(deps: AttemptDeps, key: AttemptKey, job: Job, error: unknown): Promise<void> {
  const { db, handBack, metrics, logger, options, tell } = deps
  if (endedBy(error, 'cancelled')) {
    tell('cancelled')
    return logger.info('export cancelled')
  }
  // The job is another's now. graphile-worker completes a job by its id alone but fails only its own: so it is failed.
  if (endedBy(error, 'replaced')) {
    tell('replaced')
    logger.warn('another attempt has replaced this one')
    throw error
  }
  if (endedBy(error, 'interrupted')) {
    tell('interrupted')
    logger.info('handing the export back')
    handBack.add(job)
    await releaseAttempt(db, key)
    throw error
  }
  const failure = failureOf(error)
  const isLast = job.attempts >= job.max_attempts
  tell(isLast ? 'failed' : 'retried', failure)
  if (isLast) metrics.failures.inc({ code: failure })
  logger.error({ err: error, failure }, isLast ? 'export failed for good' : 'attempt failed, the export is tried again')
  // Waiting here also sees to it that the worker, which doesn't wait, finds a database to note the failure in.
  await retryUnavailable(() => (isLast ? failAttempt(db, key, failure) : releaseAttempt(db, key)), options)
  throw error
}
