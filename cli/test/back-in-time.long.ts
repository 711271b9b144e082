import { migrate } from '@streamledger/db'
import { createDatabase, type Database } from '@streamledger/db/database'
import { test as base, expect, type OwnPostgres, type ServiceProcess, waitFor } from '@streamledger/testkit'
import { readOutbox, write } from './forge.ts'
import { type Ledger, makeLedger } from './ledger.ts'
import { reload } from './reload.ts'
import { runCli } from './run-cli.ts'
import { outboxIsEmpty, startRelay, stop } from './system.ts'

const PARTITIONS = 2
const USERS = 6
/** Of a machine that has other work, too. */
const PATIENT = { timeoutMs: 30_000 }

async function openLedger(postgres: OwnPostgres): Promise<Database & { url: string }> {
  await migrate(postgres.url)
  const options = { applicationName: 'test', connectionsMax: 10, statementTimeoutMs: 30_000 }
  return { url: postgres.url, ...createDatabase(postgres.url, options) }
}

const test = base
  .extend('postgres', async ({ startPostgres }) => startPostgres())
  .extend('ledger', async ({ postgres, kafka }, { onCleanup }) => {
    const database = await openLedger(postgres)
    onCleanup(() => database.close())
    return makeLedger(database, kafka, PARTITIONS)
  })

const resolveAll = (ledger: Ledger, ...args: string[]) =>
  runCli(['relay', 'resolve', '--all', '--json', ...args], ledger.env)
const did = ['--reason', 'a test', '--yes']

const postToAll = async (ledger: Ledger, wallets: readonly number[], amount = 100): Promise<void> => {
  for (const wallet of wallets) await ledger.post(wallet, amount)
}

async function publishAll(ledger: Ledger, spawn: Parameters<typeof startRelay>[1]): Promise<void> {
  const relay = await startRelay(ledger, spawn)
  await outboxIsEmpty(ledger)
  await stop(relay)
}

async function seeHalt({ pool }: Ledger, relay: ServiceProcess, reason: string): Promise<void> {
  await waitFor(async () => {
    const { rows } = await pool.query('select halted_reason from relay_partitions where halted_at is not null')
    expect(rows.map(({ halted_reason }) => halted_reason)).toContainEqual(expect.stringContaining(reason))
  }, PATIENT)
  const metrics = await (await fetch(`${relay.opsUrl}/metrics`)).text()
  expect(metrics).toMatch(/streamledger_relay_partitions_halted(\{[^}]*\})? [12]\n/)
  await waitFor(() => expect(relay.logs).toContain('see docs/runbook.md'))
}

/** Everything that is posted now is published, once, and nothing of what was is missing or doubled. */
async function seeAllFlow(ledger: Ledger, wallets: readonly number[], expected: { notes: number }): Promise<void> {
  await postToAll(ledger, wallets)
  await outboxIsEmpty(ledger)
  expect((await runCli(['verify', '--json'], ledger.env)).json).toMatchObject({ ok: true })
  const { json } = await runCli(['reconcile', '--json'], ledger.env)
  expect(json).toMatchObject({ ok: true, waiting: 0 })
  expect(json.notes).toHaveLength(expected.notes)
}

/** A ledger whose Postgres forgets what came after its backup: `published` rows that waited then, and all that followed. */
async function goBackInTime(
  { ledger, postgres }: { ledger: Ledger; postgres: OwnPostgres },
  spawn: Parameters<typeof startRelay>[1],
): Promise<number[]> {
  const wallets = await ledger.addWallets(USERS)
  await postToAll(ledger, wallets)
  await publishAll(ledger, spawn)
  await postToAll(ledger, wallets) // these wait in the outbox when the backup is made
  await postgres.backUp()
  await publishAll(ledger, spawn)
  await postToAll(ledger, wallets)
  await postToAll(ledger, wallets)
  await publishAll(ledger, spawn)
  await postgres.restore()
  return wallets
}

test('a restored database halts; what the topic has is put back into it, and all flows on', async ({
  ledger,
  postgres,
  spawnService,
}) => {
  const wallets = await goBackInTime({ ledger, postgres }, spawnService)
  const relay = await startRelay(ledger, spawnService)
  await seeHalt(ledger, relay, 'the receipt is of batch')
  const halted = await ledger.pool.query(
    'select min(partition) as partition from relay_partitions where halted_at is not null',
  )
  const alone = ['--partition', String(halted.rows[0].partition), '--as', 'partly', '--reason', 'a test', '--yes']
  const single = await runCli(['relay', 'resolve', ...alone], ledger.env)
  expect(single).toMatchObject({ code: 2, stderr: expect.stringContaining('Postgres does not have') })

  const planned = await resolveAll(ledger)
  expect(planned).toMatchObject({ code: 2, json: { ok: false, lost: 2 * USERS } })
  const undecided = await resolveAll(ledger, ...did)
  expect(undecided).toMatchObject({ code: 2, json: { error: { message: expect.stringContaining('--lost') } } })
  // The state after a killed run: posting is paused until another run finishes.
  await ledger.pool.query(
    `update topic set paused = true, paused_reason = 'the event stream is being resolved', generation = generation + 1`,
  )
  expect((await runCli(['outbox', 'status'], ledger.env)).stdout).toContain(
    'Posting is paused: the event stream is being resolved',
  )

  const { code, json } = await resolveAll(ledger, '--lost', 'put-back', ...did)
  expect(json).toMatchObject({ ok: true, put_back: 2 * USERS, orphaned: 0, event_source: null })
  expect(code).toBe(0)
  const { rows } = await ledger.pool.query('select min(sequence)::int as low, max(sequence)::int as high from wallets')
  expect(rows).toEqual([{ low: 4, high: 4 }])
  await seeAllFlow(ledger, wallets, { notes: 0 })
  const { rows: ids } = await ledger.pool.query('select max(id) - min(id) > 1000000 as raised from transactions')
  expect(ids[0].raised).toBe(true)
}, 240_000)

test('what was posted after a restore stays; what it replaced is recorded as lost, and new events have a new source', async ({
  ledger,
  postgres,
  kafka,
  spawnService,
}) => {
  const wallets = await goBackInTime({ ledger, postgres }, spawnService)
  const diverged = wallets.slice(0, 2)
  await postToAll(ledger, diverged, 777)
  const relay = await startRelay(ledger, spawnService)
  await seeHalt(ledger, relay, 'the receipt is of batch')

  const { json } = await resolveAll(ledger, '--lost', 'put-back', ...did)
  expect(json).toMatchObject({ ok: true, event_source: `${ledger.topic.event_source}:2` })
  // The first two draw ids that lost transactions of others may have had, too.
  expect(json.put_back + json.orphaned).toBe(2 * USERS)
  expect(json.orphaned).toBeGreaterThanOrEqual(2 * diverged.length)
  ledger.topic.event_source = json.event_source
  await seeAllFlow(ledger, wallets, { notes: 1 })
  const records = await kafka.readAll(ledger.topic.name)
  const identities = records.map(({ headers }) => `${headers.ce_source} ${headers.ce_id}`)
  expect(new Set(identities).size).toBe(identities.length)
}, 240_000)

test('a copy that ran with the same configuration halts the original, which records the events of the copy as lost', async ({
  ledger,
  createDatabase,
  kafka,
  spawnService,
}) => {
  const wallets = await ledger.addWallets(USERS)
  await postToAll(ledger, wallets)
  await publishAll(ledger, spawnService)
  const clone = await createDatabase()
  await reload(ledger.pool, clone.pool)
  await clone.pool.query(
    'update installation set system_identifier = (select system_identifier::text from pg_control_system())',
  )
  const other = await makeLedger(clone, kafka, PARTITIONS, ledger)
  await postToAll(other, wallets, 5)
  await publishAll(other, spawnService)

  await postToAll(ledger, wallets)
  const relay = await startRelay(ledger, spawnService)
  await seeHalt(ledger, relay, 'the receipt is of batch')
  const { json } = await resolveAll(ledger, '--lost', 'leave', ...did)
  expect(json).toMatchObject({ ok: true, put_back: 0, orphaned: USERS })
  ledger.topic.event_source = json.event_source
  await seeAllFlow(ledger, wallets, { notes: 1 })
}, 240_000)

test('a dump in a new cluster is refused by name, until it is resolved', async ({
  ledger,
  startPostgres,
  kafka,
  spawnService,
}) => {
  const wallets = await ledger.addWallets(USERS)
  await postToAll(ledger, wallets)
  await publishAll(ledger, spawnService)
  await postToAll(ledger, wallets)
  // As after a long life: newer than every transaction that the new cluster has had.
  await ledger.pool.query(`update outbox set xid = (pg_current_xact_id()::text::bigint + 1000000)::text::xid8`)
  const database = await openLedger(await startPostgres())
  await reload(ledger.pool, database.pool)
  const moved = await makeLedger(database, kafka, PARTITIONS, ledger)

  const refused = await spawnService('services/relay/src/main.ts', {
    ...moved.env,
    ...{ INSTALLATION_ID: moved.installationId, KAFKA_TOPIC: moved.topic.name },
  })
  expect(await refused.exited).toEqual({ code: 1, signal: null })
  expect(refused.logs).toContain('streamledger relay resolve --all')

  expect(await resolveAll(moved, ...did)).toMatchObject({ code: 0, json: { ok: true, put_back: 0, orphaned: 0 } })
  const relay = await startRelay(moved, spawnService)
  await seeAllFlow(moved, wallets, { notes: 0 })
  expect(relay.logs).not.toContain('partition halted')
  await database.close()
}, 240_000)

test('a fail-over that lost a commit and named the batch anew halts, and is settled by what the topic shows', async ({
  ledger,
  spawnService,
}) => {
  const wallets = await ledger.addWallets(USERS)
  await postToAll(ledger, wallets)
  await publishAll(ledger, spawnService)
  await postToAll(ledger, wallets)
  // The topic has the first of these rows; the batch that Postgres remembers has the number of the one before.
  const records = await readOutbox(ledger)
  await write(ledger, records.slice(0, 1))
  await ledger.pool.query(
    `update relay_partitions p set batch_id = gen_random_uuid(), batch_snapshot = pg_current_snapshot(),
            batch_last_id = (select max(id) from outbox), batch_rows = (select count(*) from outbox where partition = p.partition)`,
  )
  const relay = await startRelay(ledger, spawnService)
  await seeHalt(ledger, relay, 'and the open batch is')
  expect(await resolveAll(ledger, ...did)).toMatchObject({ code: 0, json: { ok: true, put_back: 0, orphaned: 0 } })
  await seeAllFlow(ledger, wallets, { notes: 0 })
}, 240_000)
