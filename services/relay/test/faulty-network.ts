import { test as base, expect, startTcpProxy, type TcpProxy, type TestDatabase, waitFor } from '@streamledger/testkit'
import { countOutbox, examine, type Installation, insertRows, makeInstallation, relayEnvironment } from './system.ts'

const RELAY = 'services/relay/src/main.ts'
const KEYS = 20
/** Short, so that what hangs is given up soon. */
export const STEP_TIMEOUT_MS = 1_000

/** A relay that reaches Postgres and Kafka through proxies only. */
export const test = base.extend(
  'network',
  async ({ createDatabase, startProxiedKafka, spawnService }, { onCleanup }) => {
    const database = await createDatabase()
    const [kafka, postgres] = await Promise.all([startProxiedKafka(), startTcpProxy(database.url)])
    onCleanup(() => postgres.close())
    const spawnRelay = async (installation: Installation, env: Record<string, string> = {}) => {
      const relay = await spawnService(RELAY, {
        ...relayEnvironment({ url: postgres.address }, kafka.proxiedBrokers, installation),
        RELAY_BATCH_ROWS_MAX: '20',
        RELAY_LEASE_MS: '1000',
        RELAY_STEP_TIMEOUT_MS: String(STEP_TIMEOUT_MS),
        RELAY_TRANSACTION_TIMEOUT_MS: String(2 * STEP_TIMEOUT_MS),
        STATEMENT_TIMEOUT_MS: '1000',
        ...env,
      })
      await relay.ready()
      return relay
    }
    return { database, kafka, postgres, spawnRelay }
  },
)

/** Rows for one installation, inserted bit by bit past the proxies. */
export async function makeFlow({ pool }: TestDatabase, partitions: number) {
  const installation = await makeInstallation(pool, partitions)
  let inserted = 0
  return {
    installation,
    /** One row for each key. */
    insert: async (times = 1): Promise<void> => {
      await insertRows(pool, installation, { keys: KEYS, rows: KEYS * times, from: 1 + inserted / KEYS })
      inserted += KEYS * times
    },
    drained: async (): Promise<void> => {
      await waitFor(async () => (await countOutbox(pool)) === 0, { timeoutMs: 60_000 })
    },
    /** What a read_committed consumer has of it, who must have each row once and in order. */
    expectExactlyOnce: async (kafka: { readAll(topic: string): Promise<Parameters<typeof examine>[0]> }) => {
      const halted = await pool.query(
        'select partition, halted_reason from relay_partitions where halted_at is not null',
      )
      expect(halted.rows).toEqual([])
      const verdict = examine(await kafka.readAll(installation.topic))
      expect(verdict).toEqual({ distinct: inserted, doubled: 0, outOfOrder: 0 })
    },
  }
}

export type Flow = Awaited<ReturnType<typeof makeFlow>>

export function makeQuiet(proxy: TcpProxy): void {
  proxy.release()
  proxy.comeUp()
  proxy.delay(0)
}
