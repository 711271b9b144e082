import { expect, test, waitFor } from '@streamledger/testkit'
import { countOutbox, examine, insertRows, makeInstallation, relayEnvironment } from './system.ts'

const RELAY = 'services/relay/src/main.ts'
const KEYS = 20

// A broker that the controllers and the other brokers have lost, and that relays still reach, answers from its last
// state, without an error. Two doors to one broker stand for two brokers: one door shows old receipts for ever.

test('a relay that is connected to a broker with an old state asks another one, and halts nothing', async ({
  createDatabase,
  startProxiedKafka,
  spawnService,
}) => {
  const database = await createDatabase()
  const { pool } = database
  const doors = [await startProxiedKafka(), await startProxiedKafka()] as const
  expect(doors[0].brokers).toBe(doors[1].brokers)
  const installation = await makeInstallation(pool, 1)
  let round = 0
  const insert = async () => {
    round += 1
    await insertRows(pool, installation, { keys: KEYS, rows: KEYS, from: round })
  }
  const isDrained = () => waitFor(async () => (await countOutbox(pool)) === 0, { timeoutMs: 60_000 })
  const environment = ([first, second]: typeof doors) => ({
    ...relayEnvironment(database, `${first.proxiedBrokers},${second.proxiedBrokers}`, installation),
    ...{ RELAY_STEP_TIMEOUT_MS: '1000', RELAY_TRANSACTION_TIMEOUT_MS: '2000', RELAY_RECEIPT_PATIENCE_MS: '3000' },
  })
  const relay = await spawnService(RELAY, environment(doors))
  await relay.ready()
  await insert()
  await isDrained()

  let old: Buffer | undefined
  const rewrite = (answer: Buffer) => (old ??= answer)
  // The relay reads through the door that it has reached after its first errors.
  const noting = doors.map(({ proxy }) => proxy.disturb('OffsetFetch', { kind: 'rewrite', rewrite }))
  await insert()
  await isDrained()
  expect(noting.map(({ met }) => met).sort()).toEqual([0, 1])
  for (const each of noting) each.stop()
  const [zombie, well] = noting[0]?.met === 1 ? doors : ([doors[1], doors[0]] as const)
  const answers = zombie.proxy.disturb('OffsetFetch', { kind: 'rewrite', rewrite }, Number.POSITIVE_INFINITY)
  // The lane waits in vain for its receipt.
  await insert()
  await isDrained()
  expect(answers.met).toBeGreaterThan(1)
  await waitFor(() => expect(relay.logs).toContain('UnseenError'))

  // And a replica that takes the lane over finds a receipt that is several batches old.
  for (let batches = 0; batches < 3; batches += 1) {
    await insert()
    await isDrained()
  }
  relay.signal('SIGKILL')
  await relay.exited
  await insert()
  const heir = await spawnService(RELAY, environment([zombie, well]))
  await isDrained()
  await waitFor(() => expect(heir.logs).toContain('ReceiptBehindError'))
  answers.stop()
  const halted = await pool.query('select halted_reason from relay_partitions where halted_at is not null')
  expect(halted.rows).toEqual([])
  const verdict = examine(await well.readAll(installation.topic))
  expect(verdict).toEqual({ distinct: round * KEYS, doubled: 0, outOfOrder: 0 })
}, 180_000)
