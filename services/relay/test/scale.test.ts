import { expect, type ServiceProcess, type TopicRecord, test, waitFor } from '@streamledger/testkit'
import { countOutbox, examine, makeInstallation, relayEnvironment, sharesBecome, startFlow } from './system.ts' // biome-ignore format: one line

const RELAY = 'services/relay/src/main.ts'
const PARTITIONS = 8
const LEASE_MS = 3_000
const STEP_TIMEOUT_MS = 5_000
/** What docs/runbook.md promises of a rolling restart. */
const STOP_MS_MAX = 5_000
/** Enough for every partition to have some. */
const KEYS = 64

const FLOW = { keys: KEYS, waitingMax: 20 * KEYS, timeoutMs: 60_000 }

/** The longest time between two records of one partition, by their publishers' clock. */
function longestGapMs(records: readonly TopicRecord[]): number {
  const gaps = [...Map.groupBy(records, ({ partition }) => partition).values()].flatMap((own) =>
    own.slice(1).map(({ sentAtMs }, index) => sentAtMs - (own[index]?.sentAtMs ?? sentAtMs)),
  )
  return Math.max(...gaps)
}

async function stopRelay(relay: ServiceProcess): Promise<number> {
  const startedAt = performance.now()
  relay.signal('SIGTERM')
  expect(await relay.exited).toEqual({ code: 0, signal: null })
  return performance.now() - startedAt
}

test('from one replica to four and to two under load: fair shares, no long gap, nothing twice', async ({
  createDatabase,
  kafka,
  spawnService,
}) => {
  const database = await createDatabase()
  const installation = await makeInstallation(database.pool, PARTITIONS)
  const env = {
    ...relayEnvironment(database, kafka.brokers, installation),
    RELAY_LEASE_MS: String(LEASE_MS),
    RELAY_STEP_TIMEOUT_MS: String(STEP_TIMEOUT_MS),
  }
  const first = await spawnService(RELAY, env)
  await first.ready()
  const load = startFlow(database.pool, installation, FLOW)
  await sharesBecome(database.pool, [8])

  const more = await Promise.all([1, 2, 3].map(() => spawnService(RELAY, env)))
  await Promise.all(more.map((relay) => relay.ready()))
  await sharesBecome(database.pool, [2, 2, 2, 2])

  const stops = await Promise.all([first, ...more.slice(0, 1)].map(stopRelay))
  expect(Math.max(...stops)).toBeLessThan(STOP_MS_MAX)
  await sharesBecome(database.pool, [4, 4])

  const inserted = await load.stop()
  await waitFor(async () => (await countOutbox(database.pool)) === 0, { timeoutMs: 30_000 })
  const records = await kafka.readAll(installation.topic)
  expect(examine(records)).toEqual({ distinct: inserted, doubled: 0, outOfOrder: 0 })
  // A hand-over takes a look of both replicas at the leases, and the new one's first steps.
  expect(longestGapMs(records)).toBeLessThan(LEASE_MS + STEP_TIMEOUT_MS)
}, 120_000)
