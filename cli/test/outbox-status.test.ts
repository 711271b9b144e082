import { randomUUID } from 'node:crypto'
import { test as base, expect, waitFor } from '@streamledger/testkit'
import { type Ledger, makeLedger } from './ledger.ts'
import { runCli } from './run-cli.ts'

const test = base.extend('ledger', async ({ createDatabase, kafka }) => makeLedger(await createDatabase(), kafka, 4))

const status = (ledger: Ledger, ...args: string[]) => runCli(['outbox', 'status', '--json', ...args], ledger.env)
const kinds = (faults: { partition: number; kind: string }[]) => faults.map(({ partition, kind }) => [partition, kind])

const row = (ledger: Ledger, partition: number, age = '0 s') =>
  ledger.pool.query(
    `insert into outbox (partition, key, payload, headers, created_at) values ($1, '1', '{}', '{}', now() - $2::interval)`,
    [partition, age],
  )

test('an empty outbox is well, with or without relays', async ({ ledger }) => {
  const { code, json } = await status(ledger)
  expect(code).toBe(0)
  expect(json).toMatchObject({ ok: true, totals: { rows: 0, oldest_s: null, halted: 0, relays: 0 }, faults: [] })
  expect(json.partitions).toHaveLength(4)
  const text = await runCli(['outbox', 'status'], ledger.env)
  expect(text.stdout).toMatch(/partition +rows +oldest/)
  expect(text.stdout).toContain('All is well.')
})

test('each partition tells its rows, its lease, its open batch and its halt; and what is wrong is named', async ({
  ledger,
}) => {
  const owner = randomUUID()
  await row(ledger, 0, '30 s')
  await row(ledger, 0)
  await row(ledger, 1, '90 s')
  await row(ledger, 2, '90 s')
  await row(ledger, 3, '90 s')
  await row(ledger, 7)
  await ledger.pool.query(
    `update relay_partitions set lease_owner = $1, lease_token = $1, lease_expires_at = now() + interval '3 s',
            batch_seq = 12, batch_id = $1, batch_last_id = (select min(id) from outbox), batch_snapshot = pg_current_snapshot(), batch_rows = 1
      where partition = 0`,
    [owner],
  )
  await ledger.pool.query(
    `update relay_partitions set lease_owner = $1, lease_token = $1, lease_expires_at = now() - interval '9 s' where partition = 1`,
    [owner],
  )
  await ledger.pool.query(
    `update relay_partitions set halted_at = now(), halted_reason = 'the receipt is of batch 7' where partition = 2`,
  )
  const { code, json } = await status(ledger)
  expect(code).toBe(1)
  expect(kinds(json.faults)).toEqual([
    [1, 'stalled'],
    [1, 'unheld'],
    [2, 'halted'],
    [2, 'stalled'],
    [3, 'stalled'],
    [3, 'unheld'],
    [7, 'unknown'],
  ])
  expect(json.totals).toMatchObject({ rows: 6, halted: 1 })
  expect(json.partitions[0]).toMatchObject({
    ...{ partition: 0, rows: 2, known: true, halted: null, faults: [] },
    open_batch: { seq: 12, id: owner, rows: 1, oldest_s: expect.closeTo(30, -1) },
    lease: { owner, expired: false },
  })
  expect(json.partitions[1].lease).toMatchObject({ expired: true, expires_in_s: 0 })
  expect(json.partitions[2].halted.reason).toBe('the receipt is of batch 7')

  const text = await runCli(['outbox', 'status', '--max-age', '120'], ledger.env)
  expect(text.code).toBe(1)
  expect(text.stdout).toContain(owner.slice(0, 8))
  expect(text.stdout).toContain('partition 2 is halted since')
  expect(text.stdout).not.toContain('stalled')
})

test('a running relay is seen to hold the partitions', async ({ ledger, spawnService }) => {
  const relay = await spawnService('services/relay/src/main.ts', {
    ...ledger.env,
    ...{ KAFKA_TOPIC: ledger.topic.name, INSTALLATION_ID: ledger.installationId, RELAY_BATCH_BYTES_MAX: '500000' },
  })
  await relay.ready()
  const json = await waitFor(async () => {
    const answer = await status(ledger)
    return answer.json.partitions.every(({ lease }: { lease: object | null }) => lease) && answer.json
  })
  expect(json).toMatchObject({ ok: true, totals: { relays: 1 } })
})
