import { isDeepStrictEqual } from 'node:util'
import { expect } from '@streamledger/testkit'
import type { Pool } from 'pg'
import { type Answered, bodyOf } from './posting-load.ts'

// Each query counts violations of an invariant. A correct ledger has none.
const FAULTS = `
  with history as (
    select wallet_id, sequence, balance,
           row_number() over earlier as place,
           sum(case entry when 'credit' then amount else -amount end) over earlier as total,
           created_at < lag(created_at) over earlier as is_earlier
      from transactions window earlier as (partition by wallet_id order by sequence)
  ), ends as (
    select distinct on (wallet_id) wallet_id, place, total from history order by wallet_id, place desc
  ), event as (
    select o.id as outbox_id, o.partition, e.*
      from outbox o, json_to_record(payload::json)
        as e (transaction_id bigint, user_id bigint, wallet_id bigint, sequence bigint, entry entry, amount bigint,
              balance bigint, trans_id text)
  ), announced as (
    select transaction_id, count(*) as times from event group by transaction_id
  )
  select (select count(*) from history where sequence <> place)::int as gaps,
         (select count(*) from history where balance <> total)::int as wrong_balances,
         (select count(*) from history where is_earlier)::int as times_that_run_backwards,
         (select count(*) from wallets w left join ends on ends.wallet_id = w.id
           where (w.balance, w.sequence) is distinct from (coalesce(total, 0), coalesce(place, 0)))::int as wrong_wallets,
         (select count(*) from transactions t full join announced a on a.transaction_id = t.id
           where t.id is null or a.times is distinct from 1)::int as not_announced_once,
         (select count(*) from event e join transactions t on t.id = e.transaction_id
           where (e.wallet_id, e.sequence, e.entry, e.amount, e.balance, e.trans_id)
              is distinct from (t.wallet_id, t.sequence, t.entry, t.amount, t.balance, t.trans_id))::int as wrong_events,
         (select count(*) from (
            select sequence < lag(sequence) over (partition by wallet_id, partition order by outbox_id) as is_late
              from event) o where is_late)::int as events_out_of_order,
         (select count(*) from transactions t join refusals r using (wallet_id, trans_id))::int as accepted_and_refused`

const RECORDED = `
  select user_id, trans_id, entry, amount, t.balance, 201 as status, t.id as transaction_id, t.wallet_id, t.sequence,
         t.created_at, null as code
    from transactions t join wallets w on w.id = t.wallet_id
  union all
  select user_id, trans_id, entry, amount, r.balance, 422, null, null, null, null, r.code
    from refusals r join wallets w on w.id = r.wallet_id`

type Given = Record<string, unknown>

/** The client's answer, in the ledger's own columns. */
function givenTo(one: Answered): Given {
  const { order, reply } = one
  const body = bodyOf(one)
  if (reply.status !== 201) return { ...order, status: reply.status, code: body.code, balance: body.balance }
  return { ...body, user_id: order.user_id, status: reply.status, created_at: new Date(body.created_at) }
}

const isOf = ({ order }: Answered, row: Given): boolean => row.entry === order.entry && row.amount === order.amount
const withoutNulls = (row: Given): Given =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))

/** Checks the ledger's invariants, and that it contains exactly the answers that were given, and nothing else. */
export async function expectTruth(pool: Pool, answered: readonly Answered[]): Promise<void> {
  const { rows: faults } = await pool.query<Record<string, number>>(FAULTS)
  expect(Object.entries(faults[0] ?? {}).filter(([, count]) => count !== 0)).toEqual([])

  const { rows } = await pool.query<Given>(RECORDED)
  const keyOf = ({ user_id, trans_id }: Given): string => `${user_id} ${trans_id}`
  const recorded = new Map(rows.map((row) => [keyOf(row), withoutNulls(row)]))
  const untrue = answered.filter((one) => {
    const row = recorded.get(keyOf({ ...one.order }))
    return !row || !isOf(one, row) || !isDeepStrictEqual(givenTo(one), row)
  })
  expect(untrue.slice(0, 3)).toEqual([])
  const asked = new Set(answered.map(({ order }) => keyOf({ ...order })))
  expect(asked.size).toBe(rows.length)
}
