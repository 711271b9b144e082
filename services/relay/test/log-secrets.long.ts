import { expect, startTcpProxy, test, waitFor } from '@streamledger/testkit'
import { countOutbox, makeInstallation, relayEnvironment } from './system.ts'

const RELAY = 'services/relay/src/main.ts'
const SECRET = 'odd-trans-id-7f3a9c'

test('no log line, of any level, has a secret or anything of an event in it', async ({
  createDatabase,
  startKafka,
  spawnService,
}) => {
  const database = await createDatabase()
  const [proxy, kafka] = await Promise.all([startTcpProxy(database.url), startKafka()])
  try {
    const installation = await makeInstallation(database.pool, 3)
    const env = {
      ...relayEnvironment({ url: proxy.address }, kafka.brokers, installation),
      ...{ LOG_LEVEL: 'trace', RELAY_LEASE_MS: '1000' },
    }
    const relay = await spawnService(RELAY, env)
    await relay.ready()
    const publish = (partition: number) =>
      database.pool.query('insert into outbox (partition, key, payload, headers) values ($1, $2, $3, $4)', [
        ...[partition, SECRET, JSON.stringify({ trans_id: SECRET }), JSON.stringify({ ce_id: SECRET })],
      ])
    const isPublished = async () => expect(await countOutbox(database.pool)).toBe(0)
    await publish(0)
    await waitFor(isPublished)

    await kafka.kill()
    await publish(1)
    await waitFor(() => expect(relay.logs).toContain('outcome unknown'), { timeoutMs: 30_000 })
    await kafka.start()
    await waitFor(isPublished, { timeoutMs: 60_000 })
    // Postgres quotes the row that it refuses.
    await database.pool.query(`
      create function refuse() returns trigger language plpgsql as $$
        begin raise exception 'not today' using detail = old.payload, hint = old.key; end $$;
      create trigger refuse before delete on outbox for each row execute function refuse()`)
    await publish(2)
    await waitFor(() => expect(relay.logs).toContain('not today'), { timeoutMs: 30_000 })
    proxy.goDown()
    await waitFor(() => expect(relay.logs).toContain('connection broke'))
    proxy.comeUp()
    relay.signal('SIGTERM')
    await relay.exited

    for (const each of [SECRET, new URL(database.url).password, proxy.address]) {
      expect(each).not.toBe('')
      expect(relay.logs).not.toContain(each)
    }
  } finally {
    await proxy.close()
  }
}, 180_000)
