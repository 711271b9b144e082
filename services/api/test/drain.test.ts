import { expect, type ServiceProcess, test, waitFor } from '@streamledger/testkit'
import { signUp } from './api.ts'
import { spawnApis } from './api-processes.ts'
import { formatRequest, openConnection } from './raw-connection.ts'

/** Long enough for the slowest machine to send what it has to in the meantime. */
const DELAY_MS = 5_000
const TIMEOUT_MS = 30_000
const PATIENCE = { timeoutMs: 20_000 }

const drained = test.extend('api', async ({ database, spawnService }) => {
  const env = { DRAIN_DELAY_MS: String(DELAY_MS), DRAIN_TIMEOUT_MS: String(TIMEOUT_MS), REQUEST_TIMEOUT_MS: '60000' }
  const [api] = (await spawnApis(spawnService, database.url, { env })) as [ServiceProcess]
  return api
})

async function stop(api: ServiceProcess): Promise<{ sentAt: number }> {
  const sentAt = performance.now()
  api.signal('SIGTERM')
  await waitFor(async () => (await fetch(`${api.opsUrl}/health/ready`)).status === 503)
  return { sentAt }
}

drained('a replica that is told to stop serves on until balancers have seen that it is not ready', async ({ api }) => {
  const { account } = await signUp(api.url)
  const { token } = account.access_token
  const idle = await openConnection(api.url)

  const { sentAt } = await stop(api)

  // Requests that a load balancer still sends: on a new connection, and on an existing one.
  const late = await openConnection(api.url)
  for (const [connection, transId] of [
    [late, 'on-a-new-one'],
    [idle, 'on-an-old-one'],
  ] as const) {
    const body = JSON.stringify({ entry: 'credit', amount: 1, trans_id: transId })
    connection.socket.write(formatRequest('POST', '/api/v1/transactions', { token, body }))
    await connection.closed
    expect(connection.received).toMatch(/^HTTP\/1.1 201 /)
    expect(connection.received).toMatch(/^connection: close\r$/im)
  }
  expect(performance.now() - sentAt).toBeLessThan(DELAY_MS)
  expect(await api.exited).toEqual({ code: 0, signal: null })
  expect(performance.now() - sentAt).toBeGreaterThanOrEqual(DELAY_MS)
})

drained('a connection that was opened ahead and never used holds up no stop', async ({ api }) => {
  const ahead = await openConnection(api.url)
  await stop(api)
  await waitFor(() => ahead.socket.closed, PATIENCE)
  expect(await api.exited).toEqual({ code: 0, signal: null })
  expect(ahead.received).toBe('')
})
