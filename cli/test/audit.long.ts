import { migrate } from '@streamledger/db'
import { createDatabase } from '@streamledger/db/database'
import { expect, waitFor } from '@streamledger/testkit'
import { judged, NONE, post, postMore, test } from './audit-test.ts'
import { publishOutbox } from './forge.ts'
import { keepPosting, makeLedger } from './ledger.ts'
import { startAudit } from './start-audit.ts'

const RELAY = 'services/relay/src/main.ts'

test('a relay that is killed again and again while all are busy makes no false alarm', async ({
  ledger,
  kafka,
  start,
  spawnService,
  onTestFinished,
}) => {
  const audit = await start()
  const env = {
    ...ledger.env,
    ...{ INSTALLATION_ID: ledger.installationId, KAFKA_TOPIC: ledger.topic.name, TOPIC_PARTITIONS: '2' },
    ...{ RELAY_LEASE_MS: '1000', RELAY_BATCH_ROWS_MAX: '50', RELAY_BATCH_BYTES_MAX: '262144' },
  }
  const posting = keepPosting(ledger, await ledger.addWallets(20))
  onTestFinished(async () => void (await posting.stop().catch(() => {})))
  for (let kill = 1; kill <= 4; kill += 1) {
    const before = await audit.metric('events_total')
    const relay = await spawnService(RELAY, env)
    await waitFor(async () => (await audit.metric('events_total')) > before + 200, { timeoutMs: 30_000 })
    relay.signal('SIGKILL')
    await relay.exited
  }
  const posted = await posting.stop()
  expect(await audit.faults()).toEqual(NONE)
  const relay = await spawnService(RELAY, env)
  await relay.ready()
  expect(await judged(audit, ledger)).toEqual(NONE)
  expect(await audit.metric('events_total')).toBe(posted)
  expect(await kafka.readAll(ledger.topic.name)).toHaveLength(posted)
}, 120_000)

test('it waits for a Postgres and a Kafka that are killed, and goes on', async ({ startPostgres, startKafka }) => {
  const [postgres, kafka] = await Promise.all([startPostgres(), startKafka()])
  await migrate(postgres.url)
  const database = createDatabase(postgres.url, {
    applicationName: 'test',
    connectionsMax: 2,
    statementTimeoutMs: 10_000,
  })
  const ledger = await makeLedger({ ...database, url: postgres.url }, kafka)
  // A broker that has just begun may take its time to write a mark.
  const audit = await startAudit({ ...ledger.env, AUDIT_GRACE_MS: '5000' })
  try {
    const wallets = await post(ledger)
    await publishOutbox(ledger)
    expect(await judged(audit, ledger)).toEqual(NONE)

    await Promise.all([postgres.kill(), kafka.kill()])
    await waitFor(() => audit.logs.includes('cannot follow the topic'), { timeoutMs: 30_000 })
    await Promise.all([postgres.start(), kafka.start()])
    await waitFor(() => postMore(ledger, wallets.slice(0, 1)))
    await publishOutbox(ledger, { change: (records) => records.slice(1) })
    await waitFor(async () => (await audit.faults()).missing > 0, { timeoutMs: 30_000 })
    expect(await judged(audit, ledger)).toEqual({ ...NONE, missing: 1 })
    expect(await audit.metric('failures_total')).toBeGreaterThan(0)
    audit.signal('SIGTERM')
    expect((await audit.finished).code).toBe(1)
  } finally {
    await audit.kill()
    await database.close()
  }
}, 120_000)
