import { resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { expect, type TestDatabase, type TestKafka, test, waitFor } from '@streamledger/testkit'
import { publishOutbox, readOutbox, write } from './forge.ts'
import { type Ledger, makeLedger } from './ledger.ts'
import { reload } from './reload.ts'
import { runCli, spawnCli } from './run-cli.ts'
import { outboxIsEmpty, startRelay, stop } from './system.ts'

const PARTITIONS = 2
const PRELOAD = pathToFileURL(resolve(import.meta.dirname, 'kill-preload.ts')).href
const RESOLVE = ['relay', 'resolve', '--all', '--lost', 'put-back', '--reason', 'a test', '--yes', '--json']
/** Ids go on so far past what the topic has. */
const MARGIN = 1_000_000

type CreateDatabase = () => Promise<TestDatabase>

async function copy(ledger: Ledger, kafka: TestKafka, createDatabase: CreateDatabase): Promise<Ledger> {
  const database = await createDatabase()
  await reload(ledger.pool, database.pool)
  return makeLedger(database, kafka, PARTITIONS, ledger)
}

/** A young broker has to be asked for its first group again. */
const seeLost = ({ env }: Ledger, lost: number): Promise<unknown> =>
  waitFor(async () => expect((await runCli(['relay', 'resolve', '--all', '--json'], env)).json).toMatchObject({ lost }))

/**
 * A ledger that was restored to where each of four wallets had one transaction, while the topic has two of each. A fifth
 * transaction, of the second wallet, stands in the place of the one that it has lost, and has the id of the first one's.
 */
async function makeRestored(kafka: TestKafka, createDatabase: CreateDatabase) {
  const original = await makeLedger(await createDatabase(), kafka, PARTITIONS)
  const wallets = await original.addWallets(4)
  for (const wallet of wallets) await original.post(wallet, 100)
  await publishOutbox(original)
  const restored = await copy(original, kafka, createDatabase)
  const lost: number[] = []
  for (const wallet of wallets) lost.push((await original.post(wallet, 100)) as number)
  await publishOutbox(original)
  expect(await restored.post(wallets[1] as number, 777)).toBe(lost[0])
  await seeLost(restored, 4)
  return { restored, wallets, idMax: Math.max(...lost) }
}

async function readState({ pool }: Ledger) {
  const { rows } = await pool.query(`
    select (select json_agg(json_build_array(sequence, balance) order by id) from wallets) as wallets,
           (select json_agg("offset" order by "offset") from orphaned_events) as orphans,
           (select count(*)::int from event_sources) as former_sources,
           (select count(*)::int from relay_partitions where halted_at is not null) as halted,
           (select count(*)::int from relay_partitions where resolved_end is not null) as resolved,
           (select last_value::int from transactions_id_seq) as last_id,
           (select count(*)::int from outbox where headers->>'ce_source' = t.event_source) as waiting,
           t.paused, t.event_source, t.generation
      from topic t`)
  return rows[0]
}

test('a database that is restored a second time gets a source, ids and a generation that the first time has not had', async ({
  createDatabase,
  kafka,
}) => {
  const { restored, wallets } = await makeRestored(kafka, createDatabase)
  const generations: number[] = []
  for (const [source, put_back, orphaned] of [
    [':2', 2, 2],
    // All that followed the first time is lost as well, and has a source that this database has not heard of.
    [':3', 2, 2 + 1 + wallets.length],
  ] as const) {
    const ledger = await copy(restored, kafka, createDatabase)
    expect(await runCli(RESOLVE, ledger.env)).toMatchObject({ code: 0, json: { put_back, orphaned } })
    const { event_source, generation } = await readState(ledger)
    expect(event_source).toBe(restored.topic.event_source + source)
    generations.push(generation)
    ledger.topic.event_source = event_source
    const taken = (await kafka.readAll(restored.topic.name)).map(({ headers }) => Number(headers.ce_id))
    for (const wallet of wallets) expect(await ledger.post(wallet, 1)).toBeGreaterThan(Math.max(...taken))
    await publishOutbox(ledger)
  }
  expect(generations[1]).toBeGreaterThan(generations[0] as number)
  const records = await kafka.readAll(restored.topic.name)
  const identities = records.map(({ headers }) => `${headers.ce_source} ${headers.ce_id}`)
  expect(identities.filter((identity, place) => identities.indexOf(identity) < place)).toEqual([])
}, 120_000)

test('what was lost is not put back behind what was posted since, though its sequence and its balance would fit', async ({
  createDatabase,
  kafka,
}) => {
  const original = await makeLedger(await createDatabase(), kafka, PARTITIONS)
  const [wallet] = (await original.addWallets(1)) as [number]
  await original.post(wallet, 100)
  await publishOutbox(original)
  const restored = await copy(original, kafka, createDatabase)
  await original.post(wallet, 100)
  await original.post(wallet, 100)
  await publishOutbox(original)
  await setTimeout(5) // created_at has milliseconds
  await restored.post(wallet, 100)
  await seeLost(restored, 2)
  expect(await runCli(RESOLVE, restored.env)).toMatchObject({ code: 0, json: { put_back: 0, orphaned: 2 } })
  expect(await runCli(['verify', '--json'], restored.env)).toMatchObject({ code: 0, json: { ok: true } })
}, 60_000)

/** As if others had stood where so many events are now, in a topic that is gone, and had been recorded as orphans. */
async function recordPredecessors({ pool, topic }: Ledger, kafka: TestKafka, count: number): Promise<void> {
  const records = await waitFor(async () => {
    const found = await kafka.readAll(topic.name)
    expect(found).toHaveLength(count) // a transaction is seen some moments after its end
    return found
  })
  for (const { partition, offset } of records) {
    await pool.query(
      `insert into orphaned_events (partition, "offset", payload, headers) values ($1, $2, '{"of": "another topic"}', '{}')`,
      [partition, offset],
    )
  }
}

test('orphans of a topic that is gone hide nothing that has their places in the new one', async ({
  createDatabase,
  kafka,
}) => {
  const ledger = await makeLedger(await createDatabase(), kafka, PARTITIONS)
  for (const wallet of await ledger.addWallets(4)) await ledger.post(wallet, 100)
  await write(ledger, await readOutbox(ledger)) // and the writer has died before it could record that
  await recordPredecessors(ledger, kafka, 4)
  await seeLost(ledger, 0)
  const { json } = await runCli(['relay', 'resolve', '--all', '--reason', 'a test', '--yes', '--json'], ledger.env)
  const inTopic = json.partitions.map(({ rows_in_topic }: { rows_in_topic: number }) => rows_in_topic)
  expect(inTopic.reduce((sum: number, count: number) => sum + count, 0)).toBe(4)
  expect(await runCli(['reconcile', '--json'], ledger.env)).toMatchObject({ code: 0, json: { ok: true, events: 4 } })
}, 60_000)

test('an orphan is recorded though one of a topic that is gone had its place', async ({ createDatabase, kafka }) => {
  const { restored } = await makeRestored(kafka, createDatabase)
  await recordPredecessors(restored, kafka, 8)
  expect(await runCli(RESOLVE, restored.env)).toMatchObject({ code: 0, json: { put_back: 2, orphaned: 2 } })
  const { rows } = await restored.pool.query('select count(*)::int as orphans from orphaned_events')
  expect(rows).toEqual([{ orphans: 8 + 2 }])
}, 60_000)

test('a new source begins where it is asked for, also if no event in the topic asks for one', async ({
  createDatabase,
  kafka,
}) => {
  const ledger = await makeLedger(await createDatabase(), kafka, PARTITIONS)
  const [wallet] = await ledger.addWallets(1)
  await ledger.post(wallet as number, 100)
  await seeLost(ledger, 0)
  const args = ['relay', 'resolve', '--all', '--new-source', '--reason', 'a test', '--yes', '--json']
  const event_source = `${ledger.topic.event_source}:2`
  expect(await runCli(args, ledger.env)).toMatchObject({ code: 0, json: { orphaned: 0, event_source } })
  expect(await readState(ledger)).toMatchObject({ event_source, former_sources: 1, waiting: 1, paused: false })
}, 60_000)

test('a resolution that is killed before any of its changes is finished by the same command', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const { restored, wallets, idMax } = await makeRestored(kafka, createDatabase)
  let changes = 0
  let finished: Ledger | undefined
  while (!finished) {
    changes += 1
    const ledger = await copy(restored, kafka, createDatabase)
    const kill = { NODE_OPTIONS: `--import ${PRELOAD}`, KILL_BEFORE_CHANGE: String(changes) }
    const killed = await spawnCli(RESOLVE, { ...ledger.env, ...kill })
    if (killed.code === null) expect(await runCli(RESOLVE, ledger.env)).toMatchObject({ code: 0, stderr: '' })
    else {
      expect(killed).toMatchObject({ code: 0, json: { put_back: 2, orphaned: 2 } })
      finished = ledger
    }
    const state = await readState(ledger)
    expect(state, `killed before change ${changes}`).toEqual({
      wallets: [
        [1, 100],
        [2, 877],
        [2, 200],
        [2, 200],
      ],
      orphans: [expect.any(Number), expect.any(Number)],
      former_sources: 1,
      halted: 0,
      resolved: PARTITIONS,
      last_id: idMax + MARGIN,
      waiting: 1,
      paused: false,
      event_source: `${ledger.topic.event_source}:2`,
      generation: expect.any(Number),
    })
  }
  // A pause, a stop, ids, what is put back, orphans and the new source, two lanes, the cluster, and the end of the pause.
  expect(changes).toBeGreaterThan(10)

  finished.topic.event_source += ':2'
  const relay = await startRelay(finished, spawnService)
  for (const wallet of wallets) await finished.post(wallet, 1)
  await outboxIsEmpty(finished)
  await stop(relay)
  for (const check of ['verify', 'reconcile']) {
    expect((await runCli([check, '--json'], finished.env)).json).toMatchObject({ ok: true })
  }
}, 480_000)
