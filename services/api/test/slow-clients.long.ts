import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, readMetric, type ServiceProcess, test, waitFor } from '@streamledger/testkit'
import { openFilesBelow, spawnApis } from './api-processes.ts'
import { makeBigExport } from './big-export.ts'
import { makeUsers } from './ledger/wallets.ts'
import { signAccessToken } from './posting-load.ts'
import { formatRequest, openConnection, type RawConnection } from './raw-connection.ts'

// Clients that are slow, on purpose or not: none may hold a connection, a file or memory for longer than is configured.

const REQUEST_TIMEOUT_MS = 1_500
const IDLE_TIMEOUT_MS = 2_000
/** Node checks once per second for requests that take too long; the rest is for a busy machine. */
const CUT_OFF_WITHIN_MS = REQUEST_TIMEOUT_MS + 1_000 + 4_000
const PATIENCE = { timeoutMs: 30_000 }
const DRIBBLE_MS = 100
const FILE_BYTES = 64 * 2 ** 20
const POST = 'POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'

const slow = test.extend('slow', async ({ database, spawnService }, { onCleanup }) => {
  const folder = await mkdtemp(join(tmpdir(), 'streamledger-exports-'))
  onCleanup(() => rm(folder, { recursive: true }))
  const env = {
    REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS),
    CONNECTION_IDLE_TIMEOUT_MS: String(IDLE_TIMEOUT_MS),
    EXPORT_DIR: folder,
  }
  const [api] = (await spawnApis(spawnService, database.url, { env })) as [ServiceProcess]
  return { api, folder }
})

/** Sends a byte at intervals while the connection is open; returns how long that was. */
async function dribble({ socket, closed }: RawConnection, text: string): Promise<number> {
  const startedAt = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    if (socket.writable) socket.write(text.charAt(sent) || 'x')
    sent += 1
  }, DRIBBLE_MS)
  await closed
  clearInterval(timer)
  return performance.now() - startedAt
}

slow('what dribbles in is cut off in time, however steadily it does', async ({ slow: { api } }) => {
  const requests = [
    ['', 'GET /api/v1/wallet?a='],
    ['GET /api/v1/wallet HTTP/1.1\r\nHost: a\r\n', 'X-Slow: '],
    [`${POST}Content-Length: 9999\r\n\r\n`, '{"email":"'],
    [`${POST}Transfer-Encoding: chunked\r\n\r\n`, '270f\r\n{"email":"'],
  ] as const
  await Promise.all(
    requests.map(async ([head, start]) => {
      const connection = await openConnection(api.url)
      if (head !== '') connection.socket.write(head)
      const ms = await dribble(connection, start)
      expect(ms).toBeGreaterThan(REQUEST_TIMEOUT_MS / 2)
      expect(ms).toBeLessThan(CUT_OFF_WITHIN_MS)
      const [answer = '', body = ''] = connection.received.split('\r\n\r\n')
      expect(answer).toMatch(/^HTTP\/1.1 408 /)
      expect(JSON.parse(body)).toMatchObject({ status: 408, code: 'request_timeout' })
    }),
  )
})

slow('a connection on which nothing is asked is closed', async ({ slow: { api } }) => {
  const startedAt = performance.now()
  await (await openConnection(api.url)).closed
  expect(performance.now() - startedAt).toBeLessThan(CUT_OFF_WITHIN_MS)
})

slow(
  'a connection that was answered is kept for the next request, and closed once it is idle',
  async ({ slow: { api } }) => {
    const connection = await openConnection(api.url)
    const ask = async (times: number) => {
      connection.socket.write(formatRequest('GET', '/api/v1/wallet'))
      await waitFor(() => connection.received.split('HTTP/1.1 401').length === times + 1)
    }
    await ask(1)
    await ask(2)
    const startedAt = performance.now()
    await connection.closed
    const ms = performance.now() - startedAt
    expect(ms).toBeGreaterThan(IDLE_TIMEOUT_MS / 2)
    expect(ms).toBeLessThan(CUT_OFF_WITHIN_MS)
  },
)

slow('who was told that it is over and does not hang up is hung up on', async ({ slow: { api } }) => {
  const connection = await openConnection(api.url)
  connection.socket.allowHalfOpen = true
  connection.socket.write('GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ')
  await waitFor(() => connection.received.startsWith('HTTP/1.1 408'))
  expect(await readMetric(api, 'http_connections')).toBe(1)
  await waitFor(async () => (await readMetric(api, 'http_connections')) === 0, PATIENCE)
  connection.socket.destroy()
})

slow(
  'who asks for a large file and reads none of it is hung up on, and the file is closed',
  async ({ slow: { api, folder }, database: { db, pool } }) => {
    const [user_id] = (await makeUsers(pool, 1)) as [number]
    const path = await makeBigExport(db, { folder, user_id, size: FILE_BYTES })
    const connection = await openConnection(api.url)
    connection.socket.pause()
    connection.socket.write(formatRequest('GET', path, { token: signAccessToken(user_id) }))
    if (process.platform === 'linux') await waitFor(() => openFilesBelow(folder, api).length === 1)
    await waitFor(async () => (await readMetric(api, 'http_connections')) === 0, PATIENCE)
    await waitFor(() => openFilesBelow(folder, api).length === 0)
    expect(api.logs).not.toContain('request failed')
    connection.socket.destroy()
  },
)

slow('who asks ten thousand times at once and reads no answer fills no memory', async ({ slow: { api } }) => {
  const REQUESTS = 10_000 // of 70 KB each to answer: 670 MiB
  const GROWTH_MAX_MIB = 192 // V8 alone takes 50 to 100, as it likes
  const rssMib = async () => (await readMetric(api, 'process_resident_memory_bytes')) / 2 ** 20
  await (await fetch(`${api.url}/openapi.json`)).text()
  const before = await rssMib()
  const connection = await openConnection(api.url)
  connection.socket.pause()
  connection.socket.write(formatRequest('GET', '/openapi.json').repeat(REQUESTS))
  let peak = before
  await waitFor(async () => {
    peak = Math.max(peak, await rssMib())
    return (await readMetric(api, 'http_connections')) === 0
  }, PATIENCE)
  expect(peak - before).toBeLessThan(GROWTH_MAX_MIB)
  connection.socket.destroy()
})
