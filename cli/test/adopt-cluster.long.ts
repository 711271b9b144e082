import { test as base, expect, waitFor } from '@streamledger/testkit'
import { type Ledger, makeLedger } from './ledger.ts'
import { runCli } from './run-cli.ts'
import { outboxIsEmpty, startRelay, stop } from './system.ts'

const PARTITIONS = 2
const EVENTS = 6
const SOON = { RELAY_RECEIPT_PATIENCE_MS: '500', RELAY_TOPIC_CHECK_MS: '100' }
const test = base.extend('ledger', async ({ createDatabase, kafka }) =>
  makeLedger(await createDatabase(), kafka, PARTITIONS),
)

type Spawn = Parameters<typeof startRelay>[1]
const WITH_REASON = ['--reason', 'a test', '--yes']
const adopt = (ledger: Ledger, ...args: string[]) => runCli(['relay', 'adopt-cluster', '--json', ...args], ledger.env)
const resolveAll = (ledger: Ledger, ...args: string[]) =>
  runCli(['relay', 'resolve', '--all', '--json', ...args], ledger.env)

async function postToAll(ledger: Ledger, wallets: readonly number[]): Promise<void> {
  for (const wallet of wallets) await ledger.post(wallet, 100)
}

async function readPins({ pool }: Ledger) {
  const { rows } = await pool.query('select kafka_cluster_id as cluster, kafka_topic_id as topic from topic')
  return rows[0]
}

/** A ledger with events in its topic, and the relay that has published them. */
async function publish(ledger: Ledger, spawn: Spawn) {
  const wallets = await ledger.addWallets(EVENTS)
  await postToAll(ledger, wallets)
  const relay = await startRelay(ledger, spawn, SOON)
  await outboxIsEmpty(ledger)
  return { wallets, relay }
}

/** As if the cluster had got another id when it was moved, with its topic, offsets and groups. */
const moveCluster = ({ pool }: Ledger) => pool.query(`update topic set kafka_cluster_id = 'the-old-one'`)

test('a cluster that was moved is recorded when all is there; until then relays end, and afterwards they go on', {
  timeout: 180_000,
}, async ({ ledger, spawnService }) => {
  const { wallets, relay } = await publish(ledger, spawnService)
  const pins = await readPins(ledger)
  expect(await adopt(ledger, ...WITH_REASON)).toMatchObject({ code: 0, json: { ok: true, adopted: false } })
  await moveCluster(ledger)
  expect(await relay.exited).toEqual({ code: 1, signal: null })
  expect(relay.logs).toContain('streamledger relay adopt-cluster')

  const shown = await adopt(ledger)
  expect(shown).toMatchObject({ code: 2, json: { ok: false, adopted: false, objections: [] } })
  expect(shown.json.partitions).toHaveLength(PARTITIONS)
  for (const partition of shown.json.partitions) {
    expect(partition).toMatchObject({ last_event: 'known', receipt: { seq: partition.batch_seq } })
  }
  expect((await readPins(ledger)).cluster).toBe('the-old-one')
  expect((await runCli(['topic', 'grow', '--partitions', '3'], ledger.env)).stderr).toContain('the-old-one')
  expect((await runCli(['relay', 'adopt-cluster'], ledger.env)).stdout).toContain('add --reason and --yes')
  expect(await adopt(ledger, '--yes')).toMatchObject({ code: 2, stderr: expect.stringContaining('--reason') })

  expect(await adopt(ledger, ...WITH_REASON)).toMatchObject({ code: 0, json: { ok: true, adopted: true } })
  expect(await readPins(ledger)).toEqual(pins)
  const { rows } = await ledger.pool.query('select * from cluster_adoptions')
  expect(rows).toMatchObject([
    {
      ...{ from_cluster_id: 'the-old-one', from_topic_id: pins.topic, to_cluster_id: pins.cluster },
      ...{ to_topic_id: pins.topic, reason: 'a test', adopted_by: expect.stringContaining('@') },
      ...{ evidence: shown.json.partitions, adopted_at: expect.any(Date) },
    },
  ])
  await startRelay(ledger, spawnService, SOON)
  await postToAll(ledger, wallets)
  await outboxIsEmpty(ledger)
  expect((await runCli(['reconcile', '--json'], ledger.env)).json).toMatchObject({ ok: true, events: 2 * EVENTS })
})

test('a cluster whose topic ends too early is refused by it, and brought up by relay resolve --all', {
  timeout: 180_000,
}, async ({ ledger, kafka, spawnService }) => {
  const { wallets, relay } = await publish(ledger, spawnService)
  await stop(relay)
  await moveCluster(ledger)
  await kafka.createTopicAnew(ledger.topic.name, PARTITIONS)
  const refused = await adopt(ledger, ...WITH_REASON)
  expect(refused).toMatchObject({
    code: 2,
    json: { error: { message: expect.stringContaining('it ends at offset 0') } },
  })
  expect((await readPins(ledger)).cluster).toBe('the-old-one')

  expect((await resolveAll(ledger)).json.other_kafka).toContain('the-old-one')
  expect(await resolveAll(ledger, '--reason', 'a test', '--yes')).toMatchObject({ code: 0, json: { ok: true } })
  await startRelay(ledger, spawnService, SOON)
  await postToAll(ledger, wallets)
  await outboxIsEmpty(ledger)
  expect(await kafka.readAll(ledger.topic.name)).toHaveLength(EVENTS)
})

test('a topic that was created again is no matter of one partition: relay resolve --all records it, and the relay goes on', {
  timeout: 180_000,
}, async ({ ledger, kafka, spawnService }) => {
  const { wallets, relay } = await publish(ledger, spawnService)
  const before = await readPins(ledger)
  await kafka.createTopicAnew(ledger.topic.name, PARTITIONS)
  await waitFor(
    async () => {
      const { rows } = await ledger.pool.query('select halted_reason from relay_partitions')
      for (const { halted_reason } of rows) expect(halted_reason).toContain('deleted and created again')
    },
    { timeoutMs: 30_000 },
  )
  const alone = ['--partition', '0', '--as', 'unpublished', '--reason', 'a test', '--yes']
  const refused = await runCli(['relay', 'resolve', ...alone], ledger.env)
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('relay resolve --all') })

  expect(await resolveAll(ledger, '--reason', 'a test', '--yes')).toMatchObject({ code: 0, json: { ok: true } })
  const after = await readPins(ledger)
  expect(after).toEqual({ cluster: before.cluster, topic: expect.not.stringMatching(before.topic) })
  await postToAll(ledger, wallets)
  await outboxIsEmpty(ledger)
  expect(await kafka.readAll(ledger.topic.name)).toHaveLength(EVENTS)
  expect(relay.logs).not.toContain('ended unexpectedly')
  await stop(relay)
})
