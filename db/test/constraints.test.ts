import { expect, test } from '@streamledger/testkit'
import { sql } from 'kysely'

// The last line of defence: rows that the database itself refuses.

const USER = `insert into users (first_name, last_name, email, password) values ('A', 'B', gen_random_uuid() || '@x', 'x') returning id`
const WALLET = `with u as (${USER}) insert into wallets (user_id) select id from u returning id`

test.for([
  ['a negative balance', 'wallets_balance_range', 'update wallets set balance = -1 where id = $1'],
  ['a balance beyond 2^53 − 1', 'wallets_balance_range', 'update wallets set balance = 9007199254740992 where id = $1'],
  ['another currency', 'wallets_currency_known', `update wallets set currency = 'USD' where id = $1`],
  [
    'a second wallet of a user',
    'wallets_user_unique',
    'insert into wallets (user_id) select user_id from wallets where id = $1',
  ],
  ['an amount of nothing', 'transactions_amount_range', insertTransaction({ amount: '0' })],
  ['a balance below zero after a transaction', 'transactions_balance_range', insertTransaction({ balance: '-1' })],
  ['an empty trans_id', 'transactions_trans_id_length', insertTransaction({ trans_id: `''` })],
  ['a transaction of no wallet', 'transactions_wallet_fk', insertTransaction({ wallet: '$1 + 1000000' })],
  ['a transaction number of zero', 'transactions_sequence_positive', insertTransaction({ sequence: '0' })],
] as const)('%s is refused', async ([, constraint, statement], { database: { pool } }) => {
  const { rows } = await pool.query(WALLET)
  await expect(pool.query(statement, [rows[0].id])).rejects.toMatchObject({ constraint })
})

test.for([
  ['a trans_id', 'transactions_trans_id_unique', { sequence: '2' }],
  ['a sequence', 'transactions_sequence_unique', { trans_id: `'other'` }],
] as const)('%s is unique in its wallet', async ([, constraint, second], { database: { pool } }) => {
  const { rows } = await pool.query(WALLET)
  await pool.query(insertTransaction({}), [rows[0].id])
  await expect(pool.query(insertTransaction(second), [rows[0].id])).rejects.toMatchObject({ constraint })
})

test.for([
  ['of nothing', 'log_in_counts_of_something', `(null, null, 1, now(), null)`],
  ['of a whole address that has to wait', 'log_in_counts_pairs_wait', `(null, '192.0.2.1', 1, now(), now())`],
  ['of a whole account that has to wait', 'log_in_counts_pairs_wait', `('a', null, 1, now(), now())`],
  ['below zero', 'log_in_counts_failures_positive', `('a', '192.0.2.1', -1, now(), null)`],
  ['that there is', 'log_in_counts_unique', `(null, '192.0.2.2', 1, now(), null), (null, '192.0.2.2', 1, now(), null)`],
] as const)('a count of log-ins %s is refused', async ([, constraint, values], { database: { pool } }) => {
  const statement = `insert into log_in_counts (account, network, failures, counts_until, waits_until) values ${values}`
  await expect(pool.query(statement)).rejects.toMatchObject({ constraint })
})

test.for([
  ['update transactions set amount = amount + 1'],
  ['delete from transactions'],
  ['truncate transactions'],
  ['update refusals set balance = 0'],
  ['delete from refusals'],
])('history is append only: %s', async ([statement], { database: { pool } }) => {
  await expect(pool.query(statement as string)).rejects.toMatchObject({ code: '23001' })
})

test('what happened to accounts is append only, until it is old', async ({ database: { pool } }) => {
  const insert = (age: string) =>
    pool.query(
      `insert into security_events (created_at, request_id, kind, address)
       values (now() - $1::interval, gen_random_uuid(), 'logged_in', '::1')`,
      [age],
    )
  await insert('89 days')
  const [recent, all] = ["where created_at > now() - interval '90 days'", '']
  for (const statement of [
    `update security_events set address = 'another' ${all}`,
    `delete from security_events ${recent}`,
    'truncate security_events',
  ]) {
    await expect(pool.query(statement), statement).rejects.toMatchObject({ code: '23001' })
  }
  await insert('91 days')
  await expect(pool.query('delete from security_events')).rejects.toMatchObject({
    constraint: 'security_events_append_only',
  })
  const { rowCount } = await pool.query(`delete from security_events where created_at < now() - interval '90 days'`)
  expect(rowCount).toBe(1)
})

test('one account per e-mail address, whatever its letter case', async ({ database: { pool } }) => {
  const insert = `insert into users (first_name, last_name, email, password) values ('A', 'B', $1, 'x')`
  await pool.query(insert, ['Ada@Example.com'])
  await expect(pool.query(insert, ['ada@example.COM'])).rejects.toMatchObject({ constraint: 'users_email_unique' })
})

test('an outbox row of more than 16 KiB is refused', async ({ database: { pool } }) => {
  const insert = `insert into outbox (partition, key, payload, headers) values (0, 'k', repeat('x', $1::int), '{}')`
  await pool.query(insert, [16_382])
  await expect(pool.query(insert, [16_383])).rejects.toMatchObject({ constraint: 'outbox_row_size' })
})

test('a date becomes a sequence: how many transactions came before it', async ({ database: { pool, db } }) => {
  const { rows } = await pool.query(WALLET)
  const wallet = rows[0].id
  await pool.query(
    `insert into transactions (wallet_id, sequence, amount, balance, created_at, entry, trans_id)
     select $1, n, 1, n, '2026-01-01Z'::timestamptz + (n / 3) * interval '1 second', 'credit', n from generate_series(1, 50) n`,
    [wallet],
  )
  for (const [instant, before] of [
    ['2025-12-31Z', 0],
    ['2026-01-01Z', 0],
    ['2026-01-01 00:00:00.001Z', 2],
    ['2026-01-01 00:00:01Z', 2],
    ['2026-01-01 00:00:16Z', 47],
    ['2026-01-01 00:00:16.001Z', 50],
    ['2027-01-01Z', 50],
  ] as const) {
    const found = await sql<{ n: number }>`select sequence_before(${wallet}, ${instant}::timestamptz) as n`.execute(db)
    expect([instant, found.rows[0]?.n]).toEqual([instant, before])
  }
})

test('an int8 that a number cannot hold is an error, not a rounded figure', async ({ database: { pool } }) => {
  await expect(pool.query('select 9007199254740993::int8 as n')).rejects.toThrow(RangeError)
  expect((await pool.query('select 9007199254740991::int8 as n')).rows).toEqual([{ n: 9007199254740991 }])
})

function insertTransaction(columns: {
  wallet?: string
  sequence?: string
  amount?: string
  balance?: string
  trans_id?: string
}): string {
  const { wallet = '$1', sequence = '1', amount = '5', balance = '5', trans_id = `'a'` } = columns
  return `insert into transactions (wallet_id, sequence, amount, balance, created_at, entry, trans_id)
          values (${wallet}, ${sequence}, ${amount}, ${balance}, now(), 'credit', ${trans_id})`
}

test('an instant is read as it was written, in whatever time zone the session is', async ({ database: { pool } }) => {
  const client = await pool.connect()
  try {
    for (const zone of ['UTC', 'Africa/Lagos', 'Asia/Kolkata']) {
      await client.query(`set time zone '${zone}'`)
      for (const text of ['2026-11-22T17:40:29.123Z', '2026-01-01T00:00:00.000Z', '0099-12-31T23:59:59.500Z']) {
        const { rows } = await client.query('select $1::timestamptz as at', [text])
        expect(rows[0].at.toISOString(), zone).toBe(text)
      }
    }
  } finally {
    client.release(true)
  }
})
