import type pg from 'pg'
import type { Answer } from '../load/answer.ts'
import { readAnswers } from '../load/answer-file.ts'
import type { Findings } from './findings.ts'

interface Recorded {
  transaction_id: number | null
  wallet_id: number
  entry: string | null
  amount: number | null
  balance: number | null
  trans_id: string
  sequence: number | null
  created_at: Date | null
  code: string | null
  refused_entry: string | null
  refused_amount: number | null
  refused_balance: number | null
}

const ANSWERS_PER_PAGE = 2_000

const RECORDED = `
  select asked.wallet_id, asked.trans_id, t.id as transaction_id, t.entry, t.amount, t.balance, t.sequence, t.created_at,
         r.code, r.entry as refused_entry, r.amount as refused_amount, r.balance as refused_balance
    from unnest($1::bigint[], $2::text[]) with ordinality as asked (wallet_id, trans_id, place)
    left join transactions t on t.wallet_id = asked.wallet_id and t.trans_id = asked.trans_id
    left join refusals r on r.wallet_id = asked.wallet_id and r.trans_id = asked.trans_id
   order by asked.place`

/** An answer and what the ledger has of it. */
export interface Fate {
  readonly answer: Answer
  readonly kind: 'kept' | 'gone' | 'differing'
  readonly message: string
}

/** Checks that each answer in these files is in the ledger, unchanged. Returns the number of answers. */
export async function checkAnswers(pool: pg.Pool, paths: readonly string[], findings: Findings): Promise<number> {
  let checked = 0
  for await (const { kind, message } of readFates(pool, paths)) {
    if (kind !== 'kept') findings.add(kind, message)
    checked += 1
  }
  return checked
}

/** Compares each answer in these files with the ledger. */
export async function* readFates(pool: pg.Pool, paths: readonly string[]): AsyncGenerator<Fate> {
  for (const path of paths) {
    for await (const answers of readAnswers(path, ANSWERS_PER_PAGE)) {
      const { rows } = await pool.query<Recorded>(RECORDED, [
        answers.map(({ wallet_id }) => wallet_id),
        answers.map(({ trans_id }) => trans_id),
      ])
      for (const [at, answer] of answers.entries()) yield judge(answer, rows[at] as Recorded)
    }
  }
}

function judge(answer: Answer, row: Recorded): Fate {
  const name = `wallet ${answer.wallet_id}, trans_id ${answer.trans_id}`
  if (row.transaction_id === null && row.code === null) {
    const message = `${name}: answered ${answer.status} ${answer.body}, but it is not in the ledger`
    return { answer, kind: 'gone', message }
  }
  const recorded = describe(row)
  const given = JSON.stringify([answer.status, answer.entry, answer.amount, answer.body])
  const message = `${name}: answered ${given}, but the ledger has ${recorded}`
  return { answer, kind: recorded === given ? 'kept' : 'differing', message }
}

/** What the ledger would answer, byte by byte. */
function describe(row: Recorded): string {
  if (row.transaction_id === null) {
    const body = JSON.stringify({ code: row.code, balance: row.refused_balance })
    return JSON.stringify([422, row.refused_entry, row.refused_amount, body])
  }
  const { transaction_id, wallet_id, entry, amount, balance, trans_id, sequence, created_at } = row
  const body = { transaction_id, wallet_id, entry, amount, balance, trans_id, sequence, created_at }
  return JSON.stringify([201, entry, amount, JSON.stringify(body)])
}
