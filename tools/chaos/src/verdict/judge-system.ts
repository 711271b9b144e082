import type pg from 'pg'
import { checkAnswers } from './check-answers.ts'
import type { Findings, VerdictKind } from './findings.ts'
import { type CliAnswer, runCli } from './run-cli.ts'

export interface JudgedSystem {
  readonly pool: pg.Pool
  readonly databaseUrl: string
  readonly brokers: string
  /** All answers to clients, of this run and of earlier ones. */
  readonly answerFiles: readonly string[]
  /** The wallets that only this run has used, and the number of answers in this run. */
  readonly wallets: readonly number[]
  readonly answered: number
}

/** The numbers of checked records. */
export interface Judged {
  transactions: number
  refusals: number
  events: number
  answers: number
  exports: number
}

const TOPIC_KINDS = {
  missing: 'lost',
  doubled: 'doubled',
  out_of_order: 'out_of_order',
  foreign: 'foreign',
  mismatched: 'mismatched',
} as const satisfies Record<string, VerdictKind>

/** Checks a recovered system against all its promises. */
export async function judgeSystem(system: JudgedSystem, findings: Findings): Promise<Judged> {
  const { pool } = system
  await judgeRest(pool, findings)
  const verified = await runCli(['verify'], system)
  for (const [kind, count] of Object.entries(verified.faults ?? {})) {
    if (count > 0) findings.add('unsound', `${kind}: ${count}`, count)
  }
  addExamples(findings, 'unsound', verified)
  const reconciled = await runCli(['reconcile'], system)
  judgeTopic(reconciled, verified, findings)
  const answers = await checkAnswers(pool, system.answerFiles, findings)
  await judgeUnasked(system, findings)
  const { transactions = 0, refusals = 0, exports = 0 } = verified.checked ?? {}
  return { transactions, refusals, exports, events: reconciled.events ?? 0, answers }
}

function judgeTopic(reconciled: CliAnswer, verified: CliAnswer, findings: Findings): void {
  for (const [kind, name] of Object.entries(TOPIC_KINDS)) {
    const count = reconciled.faults?.[kind] ?? 0
    if (count > 0) findings.add(name, `${kind}: ${count}`, count)
    const examples = (reconciled.examples ?? []).filter((example) => example.kind === kind)
    addExamples(findings, name, { ok: false, examples })
  }
  if (reconciled.unjudged?.length) findings.add('broken_off', 'reconcile could not judge the whole topic')
  // One count is from Kafka and one from Postgres, so this also finds errors of reconcile itself.
  const { events = 0, waiting = 0 } = reconciled
  const transactions = verified.checked?.transactions ?? 0
  const difference = Math.abs(events + waiting - transactions)
  if (difference > 0) {
    findings.add(
      'miscounted',
      `${events} events and ${waiting} waiting rows, but ${transactions} transactions`,
      difference,
    )
  }
}

function addExamples(findings: Findings, kind: VerdictKind, { examples = [] }: CliAnswer): void {
  for (const { message } of examples) findings.add(kind, message, 0)
}

/** Finds partitions, rows and exports that should be finished by now. */
async function judgeRest(pool: pg.Pool, findings: Findings): Promise<void> {
  const { rows: halted } = await pool.query<{ partition: number; halted_reason: string }>(
    'select partition, halted_reason from relay_partitions where halted_at is not null order by partition',
  )
  for (const { partition, halted_reason } of halted) findings.add('halted', `partition ${partition}: ${halted_reason}`)

  const { rows: waiting } = await pool.query<{ partition: number; rows: number; first: number }>(
    'select partition, count(*)::int as rows, min(id) as first from outbox group by partition order by partition',
  )
  for (const { partition, rows, first } of waiting) {
    findings.add('unpublished', `partition ${partition}: ${rows} rows, the first with id ${first}`, rows)
  }
  const { rows: negative } = await pool.query<{ id: number; balance: number }>(
    'select id, balance from wallets where balance < 0',
  )
  for (const { id, balance } of negative) findings.add('negative', `wallet ${id}: ${balance}`)

  const { rows: exports } = await pool.query<{ id: string; status: string; error: string | null }>(
    `select id, status::text as status, error from exports where status in ('queued', 'running', 'failed') order by id`,
  )
  for (const { id, status, error } of exports) {
    findings.add(status === 'failed' ? 'exports_failed' : 'exports_unfinished', `export ${id}: ${error ?? status}`)
  }
}

/** Each order has its answer by now, so the ledger must not have more records of these wallets than answers. */
async function judgeUnasked({ pool, wallets, answered }: JudgedSystem, findings: Findings): Promise<void> {
  const { rows } = await pool.query<{ records: number }>(
    `select ((select count(*) from transactions where wallet_id = any ($1::bigint[]))
           + (select count(*) from refusals where wallet_id = any ($1::bigint[])))::int as records`,
    [wallets],
  )
  const beyond = (rows[0]?.records ?? 0) - answered
  if (beyond > 0) findings.add('unasked', `${beyond} records more than the ${answered} answers`, beyond)
}
