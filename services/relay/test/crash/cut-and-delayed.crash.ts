import { type TcpProxy, waitFor } from '@streamledger/testkit'
import { type Flow, makeFlow, makeQuiet, STEP_TIMEOUT_MS, test } from '../faulty-network.ts'

const FAULTS = 60
const GAP_MS_MAX = 250
const DELAY_MS_MAX = 40
/** Past the deadline of a step, so that it counts as unknown, and past the lease. */
const HUNG_MS = 2 * STEP_TIMEOUT_MS

/** Disturbs one of the connections at a random moment. */
async function disturbOnce(proxies: readonly TcpProxy[], random: () => number): Promise<void> {
  const proxy = proxies[Math.floor(random() * proxies.length)] as TcpProxy
  const faults = [
    () => proxy.cut(),
    () => proxy.cut(),
    () => proxy.delay(random() * DELAY_MS_MAX, 'to_target'),
    () => proxy.delay(random() * DELAY_MS_MAX, 'to_client'),
    () => proxy.delay(0),
  ]
  await pause(random() * GAP_MS_MAX)
  faults[Math.floor(random() * faults.length)]?.()
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Inserts a little again and again until aborted. */
async function insertUntil(flow: Flow, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await flow.insert()
    await pause(10)
  }
}

test('connections that are cut and slow at random, both ways to both, while rows flow', async ({ network }) => {
  const { database, kafka, postgres, spawnRelay } = network
  const flow = await makeFlow(database, 3)
  await Promise.all([spawnRelay(flow.installation), spawnRelay(flow.installation)])
  const done = new AbortController()
  const inserting = insertUntil(flow, done.signal)
  for (let fault = 0; fault < FAULTS; fault += 1) await disturbOnce([kafka.proxy, postgres], Math.random)
  done.abort()
  await inserting
  for (const proxy of [kafka.proxy, postgres]) makeQuiet(proxy)
  await flow.drained()
  await flow.expectExactlyOnce(kafka)
}, 180_000)

test('a way that is silent for longer than a step may take, each way of each, and then speaks again', async ({
  network,
}) => {
  const { database, kafka, postgres, spawnRelay } = network
  const flow = await makeFlow(database, 2)
  const relay = await spawnRelay(flow.installation)
  for (const proxy of [kafka.proxy, postgres]) {
    for (const direction of ['to_target', 'to_client'] as const) {
      const done = new AbortController()
      const inserting = insertUntil(flow, done.signal)
      await pause(GAP_MS_MAX)
      proxy.hang(direction)
      await pause(HUNG_MS)
      // What was on its way arrives now, long after the relay has given it up.
      proxy.release()
      done.abort()
      await inserting
      await flow.drained()
    }
  }
  await waitFor(() => relay.logs.includes('outcome unknown, recovering'))
  await flow.expectExactlyOnce(kafka)
}, 180_000)

test('connections that have died without a word are given up, and new ones used', async ({ network }) => {
  const { database, kafka, postgres, spawnRelay } = network
  const flow = await makeFlow(database, 2)
  await spawnRelay(flow.installation)
  for (const proxy of [kafka.proxy, postgres]) {
    await flow.insert(5)
    await flow.drained()
    proxy.strand()
    await flow.insert(5)
    await flow.drained()
  }
  for (const proxy of [kafka.proxy, postgres]) proxy.release()
  await flow.insert(5)
  await flow.drained()
  await flow.expectExactlyOnce(kafka)
}, 180_000)
