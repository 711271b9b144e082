import { expect, readMetric, type ServiceProcess, test, waitFor } from '@streamledger/testkit'
import { signUp } from './api.ts'
import { spawnApis } from './api-processes.ts'
import { formatRequest, openConnection, type RawConnection } from './raw-connection.ts'

const CONNECTIONS = 10_000
const OPENED_AT_ONCE = 200
/** Long enough for all of them to be opened before the first is closed for being idle. */
const IDLE_TIMEOUT_MS = 25_000
const GROWTH_MAX_MIB = 256
const SERVED_WITHIN_MS = 3_000
const REQUEST = formatRequest('GET', '/api/v1/nothing')

/** Connections that send one request and then stay idle. */
async function openIdle(url: string, count: number): Promise<RawConnection[]> {
  const connections: RawConnection[] = []
  while (connections.length < count) {
    const next = Array.from({ length: OPENED_AT_ONCE }, async () => {
      const connection = await openConnection(url)
      connection.socket.write(REQUEST)
      return connection
    })
    connections.push(...(await Promise.all(next)))
  }
  await waitFor(() => connections.every(({ received }) => received.startsWith('HTTP/1.1 404')), { timeoutMs: 20_000 })
  return connections
}

test('ten thousand idle connections keep nobody else waiting, fill no memory, and are closed in time', async ({
  database,
  spawnService,
}) => {
  const env = { CONNECTION_IDLE_TIMEOUT_MS: String(IDLE_TIMEOUT_MS) }
  const [api] = (await spawnApis(spawnService, database.url, { env })) as [ServiceProcess]
  const client = await signUp(api.url)
  const rssMib = async () => (await readMetric(api, 'process_resident_memory_bytes')) / 2 ** 20
  const before = await rssMib()

  const connections = await openIdle(api.url, CONNECTIONS)
  try {
    expect(await readMetric(api, 'http_connections')).toBeGreaterThanOrEqual(CONNECTIONS)
    expect((await rssMib()) - before).toBeLessThan(GROWTH_MAX_MIB)
    for (let turn = 0; turn < 10; turn += 1) {
      const startedAt = performance.now()
      expect((await client.post('credit', 1)).status).toBe(201)
      expect(performance.now() - startedAt).toBeLessThan(SERVED_WITHIN_MS)
    }
    expect(await client.balance()).toBe(10)
    await waitFor(async () => (await readMetric(api, 'http_connections')) < 10, { timeoutMs: 60_000, intervalMs: 200 })
  } finally {
    for (const { socket } of connections) socket.destroy()
  }
}, 180_000)

test('a connection beyond the most that a replica holds is closed, counted and told of, and there is room again', async ({
  database,
  spawnService,
}) => {
  const env = { CONNECTIONS_MAX: '20' }
  const [api] = (await spawnApis(spawnService, database.url, { env })) as [ServiceProcess]
  const held = await Promise.all(Array.from({ length: 20 }, () => openConnection(api.url)))
  const refused = await openConnection(api.url)
  await refused.closed
  expect(refused.received).toBe('')
  expect(await readMetric(api, 'http_connections_refused_total')).toBe(1)
  await waitFor(() => api.logs.includes('connections are refused'))
  held[0]?.socket.destroy()
  await waitFor(async () => (await readMetric(api, 'http_connections')) === 19)
  expect((await fetch(`${api.url}/api/v1/nothing`)).status).toBe(404)
  for (const { socket } of held) socket.destroy()
})
