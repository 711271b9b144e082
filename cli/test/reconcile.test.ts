import { test as base, expect } from '@streamledger/testkit'
import { type ForgedRecord, publishOutbox, readOutbox, removeBefore, withOpenTransaction, write } from './forge.ts'
import { type Ledger, makeLedger } from './ledger.ts'
import { runCli } from './run-cli.ts'

const test = base.extend('ledger', async ({ createDatabase, kafka }) => makeLedger(await createDatabase(), kafka))

const reconcile = (ledger: Ledger, ...args: string[]) => runCli(['reconcile', '--json', ...args], ledger.env)
const ages = (days: number): Date => new Date(Date.now() - days * 86_400_000)
const NONE = { missing: 0, doubled: 0, foreign: 0, mismatched: 0, out_of_order: 0 }

/** Four wallets, over both partitions, with three transactions each. */
async function post(ledger: Ledger, at?: Date): Promise<number[]> {
  const wallets = await ledger.addWallets(4)
  for (const amount of [100, 200, -50]) for (const wallet of wallets) await ledger.post(wallet, amount, at)
  return wallets
}

/** The records of one wallet, in order. */
const of = (records: ForgedRecord[], wallet: number): ForgedRecord[] =>
  records.filter(({ value }) => JSON.parse(String(value)).wallet_id === wallet)

test('a topic that has each transaction once passes, and says what was compared', async ({ ledger }) => {
  await post(ledger)
  await publishOutbox(ledger)
  const { code, json, stderr } = await reconcile(ledger)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(json).toEqual({
    ...{ command: 'reconcile', ok: true, topic: ledger.topic.name, events: 12, waiting: 0, faults: NONE, examples: [] },
    ...{ unjudged: [], notes: [], seconds: expect.any(Number), next_since: expect.stringMatching(/^\d{4}-.*Z$/) },
    partitions: [
      { partition: 0, from: 0, to: expect.any(Number), events: expect.any(Number) },
      { partition: 1, from: 0, to: expect.any(Number), events: expect.any(Number) },
    ],
  })
  const text = await runCli(['reconcile'], ledger.env)
  expect(text.code).toBe(0)
  expect(text.stdout).toContain('All is well.')
})

test.for(['gzip', 'snappy', 'lz4', 'zstd'])(
  'a topic that Kafka compresses with %s is compared like any other',
  async (type, { ledger, kafka }) => {
    await kafka.configure(ledger.topic.name, { 'compression.type': type })
    await post(ledger)
    await publishOutbox(ledger)
    const { code, json } = await reconcile(ledger)
    expect({ code, json }).toMatchObject({ code: 0, json: { ok: true, events: 12, faults: NONE } })
  },
)

type Change = (records: ForgedRecord[], wallet: number) => ForgedRecord[]
const changed = (record: ForgedRecord, fields: object): ForgedRecord => ({
  ...record,
  value: JSON.stringify({ ...JSON.parse(String(record.value)), ...fields }),
})
const withHeaders = (record: ForgedRecord, headers: Record<string, string>): ForgedRecord => ({
  ...record,
  headers: { ...record.headers, ...headers },
})

const CHANGES: [string, Partial<typeof NONE>, RegExp, Change][] = [
  [
    'a transaction in no event, between others,',
    { missing: 1 },
    /wallet \d+: sequence 2 has no event and no row in the outbox/,
    (records, wallet) => records.filter((record) => record !== of(records, wallet)[1]),
  ],
  [
    'the last transactions of a wallet in no event',
    { missing: 2 },
    /wallet \d+: sequences 2 to 3 have no event/,
    (records, wallet) => records.filter((record) => !of(records, wallet).slice(1).includes(record)),
  ],
  [
    'a wallet that is in no event',
    { missing: 3 },
    /wallet \d+: sequences 1 to 3 have no event/,
    (records, wallet) => records.filter((record) => !of(records, wallet).includes(record)),
  ],
  [
    'a transaction in two events',
    { doubled: 1 },
    /partition \d, offset \d+: transaction \d+ \(wallet \d+, sequence 2\) has an earlier event/,
    (records, wallet) => [...records, of(records, wallet)[1] as ForgedRecord],
  ],
  ['a batch that is there twice', { doubled: 12 }, /has an earlier event/, (records) => [...records, ...records]],
  [
    'an event of no transaction',
    { foreign: 1 },
    /there is no transaction 999999 in the ledger/,
    (records) => [...records, changed(records[0] as ForgedRecord, { transaction_id: 999_999 })],
  ],
  [
    'an event of another installation',
    { foreign: 1 },
    /its ce_source is urn:streamledger:other/,
    (records) => [...records, withHeaders(records[0] as ForgedRecord, { ce_source: 'urn:streamledger:other' })],
  ],
  [
    'a record that is no event',
    { foreign: 1 },
    /its value is not a JSON object/,
    (records) => [...records, { partition: 0, value: 'nonsense' }],
  ],
  [
    'an event with another amount and balance',
    { mismatched: 1 },
    /differs from transaction \d+ \(wallet \d+, sequence 1\) in amount, balance/,
    (records, wallet) =>
      records.map((record) =>
        record === of(records, wallet)[0] ? changed(record, { amount: 1, balance: 1 }) : record,
      ),
  ],
  [
    'an event under another key and id',
    { mismatched: 1 },
    /in key, ce_id/,
    (records, wallet) =>
      records.map((record) =>
        record === of(records, wallet)[0] ? withHeaders({ ...record, key: '1000000' }, { ce_id: '7' }) : record,
      ),
  ],
  [
    'two events of a wallet that changed places',
    { out_of_order: 1 },
    /transaction \d+ \(wallet \d+, sequence 2\) comes after a later event/,
    (records, wallet) => {
      const [, second, third] = of(records, wallet)
      return records.map((record) => (record === second ? third : record === third ? second : record) as ForgedRecord)
    },
  ],
]

test.for(CHANGES)('%s is found', async ([, faults, message, change], { ledger }) => {
  const [, wallet = 0] = await post(ledger)
  await publishOutbox(ledger, { change: (records) => change(records, wallet) })
  const { code, json } = await reconcile(ledger)
  expect({ code, faults: json.faults }).toEqual({ code: 1, faults: { ...NONE, ...faults } })
  expect(json.examples[0].message).toMatch(message)
  const text = await runCli(['reconcile'], ledger.env)
  expect(text.code).toBe(1)
  expect(text.stdout).toMatch(message)
})

test('what waits in the outbox is not missing, in the topic or not; what is in neither is', async ({ ledger }) => {
  const wallets = await post(ledger)
  await publishOutbox(ledger)
  for (const wallet of wallets) for (const amount of [1, 2, 3]) await ledger.post(wallet, amount)
  expect((await reconcile(ledger)).json).toMatchObject({ ok: true, events: 12, waiting: 12, faults: NONE })

  // Published, and its confirmation still to come.
  await write(ledger, await readOutbox(ledger))
  expect((await reconcile(ledger)).json).toMatchObject({ ok: true, events: 24, waiting: 12, faults: NONE })

  for (const amount of [4, 5, 6]) await ledger.post(wallets[0] as number, amount)
  await ledger.pool.query(`delete from outbox where payload like '%"amount":5,%'`)
  const hole = await reconcile(ledger)
  expect(hole.json).toMatchObject({ faults: { ...NONE, missing: 1 }, waiting: 14 })
  await ledger.pool.query(`delete from outbox where payload like '%"amount":6,%'`)
  expect((await reconcile(ledger)).json.faults).toEqual({ ...NONE, missing: 2 })
  await ledger.pool.query(`delete from outbox where payload like '%"amount":4,%'`)
  expect((await reconcile(ledger)).json.faults).toEqual({ ...NONE, missing: 3 })
})

test('an aborted transaction is not there, and an open one holds back what comes after it', async ({ ledger }) => {
  await post(ledger)
  const waiting = await readOutbox(ledger)
  const [first] = waiting as [ForgedRecord]
  await write(ledger, waiting, 'abort')
  await publishOutbox(ledger)
  await write(ledger, waiting, 'abort')
  expect((await reconcile(ledger)).json).toMatchObject({ ok: true, events: 12, faults: NONE })

  await withOpenTransaction(ledger, first, async () => {
    await write(ledger, [{ partition: first.partition, value: 'nonsense' }])
    expect((await reconcile(ledger)).json).toMatchObject({ ok: true, events: 12, faults: NONE })
  })
  expect((await reconcile(ledger)).json).toMatchObject({ ok: false, events: 13, faults: { ...NONE, foreign: 1 } })
})

test('what the relay has confirmed and no consumer can read is said, and missing', async ({ ledger }) => {
  await post(ledger)
  await publishOutbox(ledger, { change: (records) => records.slice(0, -1) })
  await ledger.pool.query('update relay_partitions set next_offset = 1000 where partition = 1')
  await ledger.pool.query(
    `update relay_partitions set halted_at = now(), halted_reason = 'on purpose' where partition = 0`,
  )
  const { json } = await reconcile(ledger)
  expect(json.faults).toEqual({ ...NONE, missing: 1 })
  expect(json.notes).toEqual([
    expect.stringMatching(/partition 1: the relay has confirmed up to offset 1000, .* can read only up to \d+$/),
    'partition 0 is halted: on purpose',
  ])
})

test('what retention has removed can’t be judged, and is not called missing', async ({ ledger }) => {
  await post(ledger, ages(3))
  await publishOutbox(ledger, { at: ages(3) })
  const records = await readOutbox(ledger)
  expect(records).toEqual([])
  const [wallet = 0] = await post(ledger, ages(1))
  await publishOutbox(ledger, { at: ages(1), change: (all) => all.filter((record) => record !== of(all, wallet)[1]) })
  const before = await reconcile(ledger)
  const { from, to } = before.json.partitions[0]
  expect(from).toBe(0)

  await removeBefore(ledger, 0, 2)
  await removeBefore(ledger, 1, 2)
  const { code, json, stdout } = await reconcile(ledger)
  expect(stdout).toContain('unjudged')
  expect(json.partitions[0]).toMatchObject({ from: 2, to })
  // Of three days ago nothing is asked; what is missing since then is.
  expect(json.faults).toEqual({ ...NONE, missing: 1 })
  expect(json.unjudged.reduce((sum: number, { transactions }: { transactions: number }) => sum + transactions, 0)).toBe(
    12,
  )
  expect(code).toBe(1)
})

test('exit code 2 says that a topic without its beginning is not the whole; --since asks only for the rest', async ({
  ledger,
}) => {
  await post(ledger, ages(3))
  await publishOutbox(ledger, { at: ages(3) })
  await post(ledger, ages(1))
  await publishOutbox(ledger, { at: ages(1) })
  await removeBefore(ledger, 0, 2)
  await removeBefore(ledger, 1, 2)
  const whole = await reconcile(ledger)
  expect({ code: whole.code, ok: whole.json.ok, faults: whole.json.faults }).toEqual({
    code: 2,
    ok: false,
    faults: NONE,
  })
  const text = await runCli(['reconcile'], ledger.env)
  expect(text.stdout).toMatch(
    /partition 0: retention has removed the topic's beginning; \d+ transactions posted before/,
  )
  const part = await reconcile(ledger, '--since', '2d')
  expect({ code: part.code, json: part.json }).toMatchObject({
    code: 0,
    json: { ok: true, events: 12, unjudged: [], faults: NONE },
  })
})

test('--since and --until ask only for what was posted between them', async ({ ledger }) => {
  const [wallet = 0] = await post(ledger, ages(5))
  await publishOutbox(ledger, { at: ages(5), change: (all) => all.filter((record) => record !== of(all, wallet)[1]) })
  await ledger.post(wallet, 7, ages(3))
  await publishOutbox(ledger, { at: ages(3) })
  await ledger.post(wallet, 8, ages(1))
  await publishOutbox(ledger, {
    at: ages(1),
    change: () => [{ partition: 0, value: 'nonsense', timestamp: String(ages(1).getTime()) }],
  })

  const found = async (...args: string[]) => {
    const { json } = await reconcile(ledger, ...args)
    return { events: json.events, faults: json.faults }
  }
  expect(await found()).toEqual({ events: 13, faults: { ...NONE, missing: 2, foreign: 1 } })
  expect(await found('--since', '4d', '--until', '2d')).toEqual({ events: 1, faults: NONE })
  // Something is missing, so the rest is looked through for it.
  expect(await found('--until', '4d')).toEqual({ events: 13, faults: { ...NONE, missing: 1, foreign: 1 } })
  expect(await found('--since', '2d')).toEqual({ events: 1, faults: { ...NONE, missing: 1, foreign: 1 } })
})

test('what was posted in time and published much later is looked for to the end', async ({ ledger }) => {
  await post(ledger, ages(5))
  await publishOutbox(ledger, { at: ages(1) })
  expect((await reconcile(ledger, '--until', '4d')).json).toMatchObject({ ok: true, events: 12, faults: NONE })
})

test('--partition asks only for one partition and its users', async ({ ledger }) => {
  await post(ledger)
  const records = await publishOutbox(ledger, { change: (all) => all.filter(({ partition }) => partition === 0) })
  const zero = await reconcile(ledger, '--partition', '0')
  expect(zero.json).toMatchObject({ ok: true, events: records.length, partitions: [{ partition: 0 }] })
  const one = await reconcile(ledger, '--partition', '1')
  expect(one.json).toMatchObject({ ok: false, events: 0, faults: { ...NONE, missing: 12 - records.length } })
})

test('users that a grown topic has moved to another partition are not out of order', async ({ ledger }) => {
  const wallets = await post(ledger)
  // Published while the topic had one partition, all in the last one: that is read after the new home of half of them.
  await publishOutbox(ledger, { change: (all) => all.map((record) => ({ ...record, partition: 1 })) })
  for (const wallet of wallets) await ledger.post(wallet, 9)
  await publishOutbox(ledger)
  expect((await reconcile(ledger)).json).toMatchObject({ ok: true, events: 16, faults: NONE })
})

test('a topic of tens of thousands of events is read through, over several answers of the broker', async ({
  ledger,
}) => {
  const [wallet = 0, other = 0] = await ledger.addWallets(2)
  for (const id of [wallet, other]) await ledger.post(id, 1)
  const [first] = await readOutbox(ledger)
  const events = 30_000
  await ledger.pool.query(
    `insert into transactions (id, wallet_id, sequence, amount, balance, created_at, entry, trans_id)
     select 1000 + n, $1, 1 + n, 1, 1 + n, t.created_at, 'credit', 'many-' || n
       from transactions t, generate_series(1, $2::int) n where t.wallet_id = $1`,
    [wallet, events],
  )
  await ledger.pool.query('update wallets set sequence = 1 + $2::int, balance = 1 + $2::int where id = $1', [
    wallet,
    events,
  ])
  const value = JSON.parse(String(first?.value))
  const base = (await readOutbox(ledger)).find((record) => JSON.parse(String(record.value)).wallet_id === wallet)
  const many = Array.from({ length: events }, (_, index) => {
    const n = index + 1
    const ids = { transaction_id: 1000 + n, wallet_id: wallet, trans_id: `many-${n}`, sequence: 1 + n, balance: 1 + n }
    const record = base as ForgedRecord
    return withHeaders(changed(record, { ...value, ...JSON.parse(String(record.value)), ...ids }), {
      ce_id: String(1000 + n),
    })
  })
  await publishOutbox(ledger)
  for (let at = 0; at < many.length; at += 1_000) await write(ledger, many.slice(at, at + 1_000))
  const { json, stderr } = await reconcile(ledger, '--progress')
  expect(json).toMatchObject({ ok: true, events: events + 2, faults: NONE })
  expect(stderr).toMatch(/%: [\d,]+ events compared, 0 faults|wallets read/)
})
