import { test as base, expect } from '@streamledger/testkit'
import { keepPosting, type Ledger, makeLedger } from './ledger.ts'
import { runCli } from './run-cli.ts'

const test = base.extend('ledger', async ({ createDatabase, kafka }) => makeLedger(await createDatabase(), kafka))

/** Two wallets with four transactions each, the second half of them debits; a refusal; an export. */
async function fill(ledger: Ledger): Promise<number[]> {
  const wallets = await ledger.addWallets(3)
  for (const wallet of wallets.slice(0, 2)) for (const amount of [100, 200, -50, -25]) await ledger.post(wallet, amount)
  const [wallet] = wallets
  await ledger.pool.query(
    `insert into refusals (wallet_id, trans_id, entry, amount, code, balance, created_at)
     values ($1, 'too-much', 'debit', 1000000, 'insufficient_funds', 225, now())`,
    [wallet],
  )
  await ledger.pool.query(
    `insert into exports (wallet_id, status, entry, as_of_sequence, rows_done, rows_total, file, size, sha256, finished_at, expires_at)
     values ($1, 'succeeded', null, 4, 4, 4, 'a', 1, 'a', now(), now()), ($1, 'succeeded', 'debit', 3, 1, 1, 'b', 1, 'b', now(), now())`,
    [wallet],
  )
  return wallets
}

test('a sound ledger passes, and says what it has looked at', async ({ ledger }) => {
  await fill(ledger)
  const { code, json, stderr } = await runCli(['verify', '--json'], ledger.env)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(json).toEqual({
    command: 'verify',
    ok: true,
    checked: { wallets: 3, transactions: 8, refusals: 1, outbox_rows: 8, exports: 2 },
    faults: {
      ...{ balance_differs: 0, sequence_gap: 0, sequence_beyond: 0, chain_broken: 0, time_backwards: 0 },
      ...{ wallet_missing: 0, refusal_with_effect: 0, outbox_differs: 0, export_differs: 0 },
    },
    examples: [],
    seconds: expect.any(Number),
  })
  const { code: again, stdout } = await runCli(['verify'], ledger.env)
  expect(again).toBe(0)
  expect(stdout).toContain('The ledger is sound.')
})

const OF = (wallet: string) => `(select min(id) from wallets) + ${wallet}`
const BALANCE = /its balance is 226, and its entries add up to 225/

test.for([
  [
    'a balance that is not the sum',
    { balance_differs: 1 },
    BALANCE,
    `update wallets set balance = balance + 1 where id = ${OF('0')}`,
  ],
  [
    'a transaction that is gone from the middle',
    { sequence_gap: 1, balance_differs: 1, outbox_differs: 1 },
    /sequence 2 is missing/,
    `delete from transactions where wallet_id = ${OF('0')} and sequence = 2`,
  ],
  [
    'a transaction that is gone from the end',
    { sequence_gap: 1, balance_differs: 1, outbox_differs: 1 },
    /the end of its history is missing \(1 transaction\)/,
    `delete from transactions where wallet_id = ${OF('1')} and sequence = 4`,
  ],
  [
    'a transaction that its wallet does not count',
    { sequence_beyond: 1, balance_differs: 1 },
    /sequence is 3, and it has a transaction with sequence 4/,
    `update wallets set sequence = 3 where id = ${OF('1')}`,
  ],
  [
    'a balance that does not follow from the one before',
    { chain_broken: 2, outbox_differs: 1 },
    /balance at sequence 2 does not follow from the one before, and 1 more/,
    `update transactions set balance = balance + 1 where wallet_id = ${OF('1')} and sequence = 2`,
  ],
  [
    'a first balance that is not the first amount',
    { chain_broken: 2, outbox_differs: 1 },
    /balance at sequence 1 does not follow/,
    `update transactions set balance = balance + 1 where wallet_id = ${OF('1')} and sequence = 1`,
  ],
  [
    'a time that runs backwards',
    { time_backwards: 1, outbox_differs: 1 },
    /sequence 3 was created before/,
    `update transactions set created_at = created_at - interval '1 hour' where wallet_id = ${OF('1')} and sequence = 3`,
  ],
  [
    'a wallet that is gone',
    { wallet_missing: 1, outbox_differs: 4 },
    /has transactions, and does not exist/,
    `delete from wallets where id = ${OF('1')}`,
  ],
  [
    'a refusal that moved money',
    { refusal_with_effect: 1 },
    /trans_id "t-\d+" was refused, and has transaction \d+/,
    `update refusals set trans_id = (select trans_id from transactions where wallet_id = ${OF('0')} and sequence = 2)`,
  ],
  [
    'an outbox row with another amount',
    { outbox_differs: 1 },
    /differs from transaction \d+ \(wallet \d+, sequence 1\) in amount/,
    `update outbox set payload = replace(payload, '"amount":100', '"amount":101') where id = (select min(id) from outbox)`,
  ],
  [
    'an outbox row of no transaction',
    { outbox_differs: 1 },
    /there is no transaction 424242 in the ledger/,
    `update outbox set payload = '{"transaction_id":424242}' where id = (select min(id) from outbox)`,
  ],
  [
    'an outbox row that is no event',
    { outbox_differs: 1 },
    /its value is not a JSON object/,
    `update outbox set payload = 'nonsense' where id = (select min(id) from outbox)`,
  ],
  [
    'an outbox row in another installation’s name',
    { outbox_differs: 1 },
    /its ce_source is urn:other/,
    `update outbox set headers = '{"ce_source":"urn:other"}' where id = (select min(id) from outbox)`,
  ],
  [
    'an export with fewer rows than its range has',
    { export_differs: 1 },
    /it has 3 rows of 4, and its range has 4/,
    `update exports set rows_done = 3 where entry is null`,
  ],
  [
    'a filtered export with more rows than its range has',
    { export_differs: 1 },
    /it has 2 rows of 2, and its range has 1/,
    `update exports set rows_done = 2, rows_total = 2 where entry = 'debit'`,
  ],
  [
    'an export from the future',
    { export_differs: 1 },
    /it covers sequence 9, and its wallet is only at 4/,
    `update exports set as_of_sequence = 9 where entry is null`,
  ],
  [
    'a wallet that claims more transactions than there can be',
    { sequence_gap: 9_007_199_254_740_987 },
    /the end of its history is missing/,
    `update wallets set sequence = 9007199254740991 where id = ${OF('1')}`,
  ],
] as const)('%s is found', async ([, faults, message, statement], { ledger }) => {
  await fill(ledger)
  await ledger.corrupt(statement)
  const { code, json } = await runCli(['verify', '--json'], ledger.env)
  const found = Object.fromEntries(Object.entries(json.faults).filter(([, count]) => count !== 0))
  expect(found).toEqual(faults)
  const [kind] = Object.keys(faults)
  expect(json.examples.filter((example: { kind: string }) => example.kind === kind)[0].message).toMatch(message)
  expect({ code, ok: json.ok }).toEqual({ code: 1, ok: false })
  const { code: again, stdout } = await runCli(['verify'], ledger.env)
  expect(again).toBe(1)
  expect(stdout).toMatch(message)
})

const DEEP = 120_000

test('a wallet that is deeper than one statement reads is judged across the cuts', async ({ ledger }) => {
  const wallets = await ledger.addWallets(2)
  await ledger.pool.query(
    `insert into transactions (wallet_id, sequence, amount, balance, created_at, entry, trans_id)
     select w.id, n, 5, n * 5, now(), 'credit', 't-' || n from unnest($1::bigint[]) as w (id), generate_series(1, $2::int) n`,
    [wallets, DEEP],
  )
  await ledger.pool.query('update wallets set sequence = $1::int, balance = $1::int * 5', [DEEP])
  const sound = await runCli(['verify', '--json'], ledger.env)
  expect(sound.json).toMatchObject({ ok: true, checked: { wallets: 2, transactions: 2 * DEEP } })

  // The last before a cut, the first after it, and one that only the cut's own row can show.
  await ledger.corrupt('delete from transactions where wallet_id = $1 and sequence in (50000, 50001)', [wallets[0]])
  await ledger.corrupt('update transactions set balance = 1 where wallet_id = $1 and sequence = 80001', [wallets[1]])
  const { json } = await runCli(['verify', '--json'], ledger.env)
  expect(json.faults).toMatchObject({ sequence_gap: 2, balance_differs: 1, chain_broken: 2, time_backwards: 0 })
})

test('a system that is posting shows no fault', async ({ ledger }) => {
  const wallets = await ledger.addWallets(20)
  const posting = keepPosting(ledger, wallets, 6)
  const seen: number[] = []
  for (let round = 1; round <= 6; round += 1) {
    const { json, code } = await runCli(['verify', '--json'], ledger.env)
    expect({ code, examples: json.examples }).toEqual({ code: 0, examples: [] })
    seen.push(json.checked.transactions)
  }
  const posted = await posting.stop()
  expect(posted).toBeGreaterThan(seen.at(-1) as number)
  expect(seen.at(-1)).toBeGreaterThan(seen[0] as number)
})

test('it cannot write, whatever it is told', async ({ ledger }) => {
  const { withDatabase } = await import('../src/with-database.ts')
  const attempt = withDatabase(ledger.env.DATABASE_URL as string, (pool) => pool.query('delete from outbox'))
  await expect(attempt).rejects.toThrow('read-only')
})
