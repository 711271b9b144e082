import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Kafka, logLevel } from 'kafkajs'
import { Client } from 'pg'
import { test as base, expect, startTcpProxy, type TcpProxy, waitFor } from '../src/index.ts'

interface Echo {
  server: Server
  proxy: TcpProxy
  /** Everything that the server was sent. */
  received: string
  connections: number
}

/** A server behind a proxy that sends back what it gets. */
const test = base.extend('echo', async ({ task: _ }, { onCleanup }): Promise<Echo> => {
  const server = createServer((socket) => {
    echo.connections += 1
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      echo.received += chunk
      socket.write(chunk)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy = await startTcpProxy(`127.0.0.1:${(server.address() as AddressInfo).port}`)
  const echo: Echo = { server, proxy, received: '', connections: 0 }
  onCleanup(async () => {
    await proxy.close()
    server.close()
  })
  return echo
})

function open({ address }: TcpProxy): { socket: Socket; answers: () => string; closed: Promise<void> } {
  const [host, port] = address.split(':')
  const socket = connect(Number(port), host)
  let text = ''
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    text += chunk
  })
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return { socket, answers: () => text, closed }
}

test('bytes come late by the delay of each direction, and in order also when the delay shrinks', async ({ echo }) => {
  const { socket, answers } = open(echo.proxy)
  echo.proxy.delay(60)
  const since = performance.now()
  socket.write('slow ')
  await waitFor(() => answers() === 'slow ', { intervalMs: 1 })
  expect(performance.now() - since).toBeGreaterThanOrEqual(119)

  echo.proxy.delay(500, 'to_target')
  echo.proxy.delay(0, 'to_client')
  socket.write('first ')
  await waitFor(() => socket.writableLength === 0)
  echo.proxy.delay(0)
  socket.write('second ')
  await waitFor(() => answers() === 'slow first second ')
  socket.destroy()
})

test('one direction can be silent alone, and nothing is lost at the release', async ({ echo }) => {
  const { socket, answers } = open(echo.proxy)
  echo.proxy.hang('to_client')
  socket.write('heard')
  await waitFor(() => echo.received === 'heard')
  expect(answers()).toBe('')
  echo.proxy.release()
  await waitFor(() => answers() === 'heard')

  echo.proxy.hang('to_target')
  socket.end('!')
  const other = open(echo.proxy)
  other.socket.write('?')
  await waitFor(() => echo.connections === 2)
  expect(echo.received).toBe('heard')
  echo.proxy.release()
  await waitFor(() => [...echo.received].sort().join('') === '!?adehr')
  other.socket.destroy()
})

test('stranded connections stay silent while new ones work', async ({ echo }) => {
  const old = open(echo.proxy)
  old.socket.write('1')
  await waitFor(() => old.answers() === '1')
  echo.proxy.strand()
  old.socket.write('2')
  const fresh = open(echo.proxy)
  fresh.socket.write('3')
  await waitFor(() => fresh.answers() === '3')
  expect([old.answers(), echo.received]).toEqual(['1', '13'])
  old.socket.destroy()
  fresh.socket.destroy()
})

test('a cut ends what is connected, and going down also refuses what comes', async ({ echo }) => {
  const first = open(echo.proxy)
  first.socket.write('1')
  await waitFor(() => first.answers() === '1')
  echo.proxy.cut()
  await first.closed
  const second = open(echo.proxy)
  second.socket.write('2')
  await waitFor(() => second.answers() === '2')
  echo.proxy.goDown()
  await second.closed
  await open(echo.proxy).closed
  expect(echo.connections).toBe(2)
  echo.proxy.comeUp()
  const third = open(echo.proxy)
  third.socket.write('3')
  await waitFor(() => third.answers() === '3')
  third.socket.destroy()
})

test('a request that is held arrives at its release, although the client has long gone', async ({ echo }) => {
  const held = echo.proxy.hold('pay')
  const other = open(echo.proxy)
  other.socket.write('look')
  const { socket, closed } = open(echo.proxy)
  socket.write('pay')
  await waitFor(() => held.isCaught && other.answers() === 'look')
  socket.destroy()
  await closed
  other.socket.write('pay') // one is held, not each
  await waitFor(() => other.answers() === 'lookpay')
  expect(echo.received).toBe('lookpay')
  held.release()
  await waitFor(() => echo.received === 'lookpaypay')
  other.socket.destroy()
})

test('a URL stays a URL, with the way to each of several targets', async ({ database, engines }) => {
  const proxy = await startTcpProxy(database.url, engines.postgresUrl)
  for (const [index, url] of [database.url, engines.postgresUrl].entries()) {
    const address = proxy.addresses[index] as string
    expect(new URL(address).host).not.toBe(new URL(url).host)
    const client = new Client({ connectionString: address })
    await client.connect()
    const { rows } = await client.query('select current_database() as name')
    expect(`/${rows[0].name}`).toBe(new URL(url).pathname)
    await client.end()
  }
  await proxy.close()
})

test('who asks Kafka through the proxy stays behind it', async ({ startProxiedKafka }) => {
  const { proxy, proxiedBrokers, brokers } = await startProxiedKafka()
  const admin = new Kafka({ brokers: [proxiedBrokers], logLevel: logLevel.NOTHING, retry: { retries: 0 } }).admin()
  await admin.connect()
  const described = await admin.describeCluster()
  expect(described.brokers.map(({ host, port }) => `${host}:${port}`)).toEqual([proxiedBrokers])
  expect(proxiedBrokers).not.toBe(brokers)
  proxy.goDown()
  await expect(admin.listTopics()).rejects.toThrow()
  proxy.comeUp()
  await admin.disconnect()
})
