import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type ServiceProcess, startTcpProxy } from '@streamledger/testkit'
import { sql } from 'kysely'
import { describe, expect, makeEnv, makePerson, signUp, test, waitFor } from './api.ts'
import { claimTopic } from './claim-topic.ts'
import { createClient } from './client.ts'
import { formatRequest, openConnection } from './raw-connection.ts'

const MAIN = 'services/api/src/main.ts'

/** What a service needs; its ports are picked by `spawnService`. */
function serviceEnv(databaseUrl: string, env: Record<string, string> = {}): Record<string, string> {
  const { PORT: _, ...rest } = makeEnv(databaseUrl, { LOG_LEVEL: 'info', ...env })
  return rest
}

describe('the process', () => {
  test('migrates an empty database, together with two others, and serves', async ({ createDatabase, spawnService }) => {
    const { url } = await createDatabase({ empty: true })
    const services = await Promise.all([1, 2, 3].map(() => spawnService(MAIN, serviceEnv(url))))
    await Promise.all(services.map((service) => service.ready()))
    const client = await signUp(services[0]?.url ?? '')
    for (const service of services) {
      expect((await createClient(service.url, client.account).post('credit', 1)).status).toBe(201)
    }
    expect(await client.balance()).toBe(3)
  })

  test('has health and metrics on a port of their own, and nothing of the API there', async ({
    database,
    spawnService,
  }) => {
    const service = await spawnService(MAIN, serviceEnv(database.url))
    await service.ready()
    const client = await signUp(service.url)
    await client.post('credit', 5)
    await client.get('/nothing-of-ours')
    const ops = (path: string) =>
      fetch(`${service.opsUrl}${path}`).then(async (r) => ({ status: r.status, text: await r.text() }))
    expect(await ops('/health/live')).toMatchObject({ status: 200 })
    expect(await ops('/health/ready')).toMatchObject({ status: 200 })
    const { text } = await ops('/metrics')
    expect(text).toMatch(
      /http_request_duration_seconds_count\{.*method="POST",route="\/api\/v1\/transactions",status="201"\} 1/,
    )
    expect(text).toMatch(/route="unmatched",status="404"\} 1/)
    expect(text).toMatch(/^posting_pending\{.*\} 0$/m)
    expect(text).toMatch(/^database_connections\{pool="posting",state="idle".*\} [1-9]/m)
    expect((await ops('/api/v1/wallet')).status).toBe(404)
    for (const path of ['//health/live', '//metrics']) expect((await client.get(path)).status).toBe(404)
  })

  test('answers what is in flight when it is told to stop, refuses what is new, and exits 0', async ({
    database,
    spawnService,
  }) => {
    const service = await spawnService(MAIN, serviceEnv(database.url))
    await service.ready()
    const client = await signUp(service.url)
    // The wallet is locked, so that requests sent now are under way when the signal comes.
    const holder = await database.pool.connect()
    await holder.query('begin')
    await holder.query('select from wallets where user_id = $1 for update', [client.account.user.user_id])
    const inFlight = Array.from({ length: 40 }, () => client.post('credit', 1))
    await waitFor(async () => /^posting_pending\{.*\} 40$/m.test(await metricsOf(service)))
    // And one request is half sent: it is under way too.
    const halfSent = await sendHalf(service.url, client.account.access_token.token)

    service.signal('SIGTERM')
    await waitFor(() => refuses(service.url))
    expect((await fetch(`${service.opsUrl}/health/ready`)).status).toBe(503)
    halfSent.finish()
    await holder.query('rollback')
    holder.release()

    const answers = await Promise.all(inFlight)
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(await halfSent.answer).toMatch(/^HTTP\/1.1 201 /)
    expect(await service.exited).toEqual({ code: 0, signal: null })
    const { rows } = await sql<{ balance: number }>`
      select balance from wallets where user_id = ${client.account.user.user_id}`.execute(database.db)
    expect(rows).toEqual([{ balance: 41 }])
  })

  test('exits 1 when a stop takes longer than it may', async ({ database, spawnService }) => {
    const service = await spawnService(MAIN, serviceEnv(database.url, { DRAIN_TIMEOUT_MS: '300', DRAIN_DELAY_MS: '0' }))
    await service.ready()
    const client = await signUp(service.url)
    const halfSent = await sendHalf(service.url, client.account.access_token.token)
    service.signal('SIGTERM')
    expect(await service.exited).toEqual({ code: 1, signal: null })
    await halfSent.answer
  })

  test('waits for a database that is down, and is live but not ready meanwhile', async ({
    createDatabase,
    spawnService,
  }) => {
    const { url } = await createDatabase()
    const proxy = await startTcpProxy(url)
    try {
      proxy.goDown()
      const service = await spawnService(MAIN, serviceEnv(proxy.address))
      await waitFor(() => service.logs.includes('trying again'))
      expect((await fetch(`${service.opsUrl}/health/live`)).status).toBe(200)
      expect((await fetch(`${service.opsUrl}/health/ready`)).status).toBe(503)
      proxy.comeUp()
      await service.ready()
      expect((await signUp(service.url)).account.wallet.balance).toBe(0)
    } finally {
      await proxy.close()
    }
  })

  test('gives up on a database that stays down, and says what to look at', async ({ spawnService }) => {
    const url = 'postgres://ada:its-password@127.0.0.1:1/none'
    const service = await spawnService(MAIN, serviceEnv(url, { DATABASE_START_TIMEOUT_MS: '800' }))
    expect(await service.exited).toEqual({ code: 1, signal: null })
    expect(service.logs).toContain('Postgres at 127.0.0.1:1 could not be reached for 0.8 s')
    expect(service.logs).not.toContain('its-password')
  })

  test('refuses another installation’s database, a bad configuration, and a weak secret', async ({
    createDatabase,
    spawnService,
  }) => {
    const { url, pool } = await createDatabase()
    await claimTopic(pool)
    for (const [env, line] of [
      [{}, 'belongs to another installation'],
      [{ JWT_SECRET: 'too short' }, 'JWT_SECRET must have at least 32 bytes'],
      [{ DATABASE_POOL_MAX: 'many' }, 'DATABASE_POOL_MAX'],
    ] as const) {
      const service = await spawnService(MAIN, serviceEnv(url, env))
      expect((await service.exited).code).toBe(1)
      expect(service.logs).toContain(line)
      expect(service.logs).not.toContain('too short')
    }
  })

  test('writes no secret and no address into its log', async ({ createDatabase, spawnService }) => {
    const { url, db } = await createDatabase()
    const service = await spawnService(MAIN, serviceEnv(url, { LOG_LEVEL: 'trace' }))
    await service.ready()
    const person = makePerson({ password: 'a secret pass phrase' })
    const call = (path: string, body: object) => createClient(service.url).call('POST', path, { body })
    const { json } = await call('/auth/signup', person)
    await call('/auth/signup', person)
    await call('/auth/login', { email: person.email, password: 'a wrong pass phrase' })
    await call('/auth/refresh', { refresh_token: json.refresh_token.token })
    const client = createClient(service.url, json)
    await client.post('credit', 1)
    await client.post('debit', 1_000)
    await client.get('/wallet', { token: `${json.access_token.token}x` })
    // A fault in a statement with an e-mail address: Postgres would quote the row in its error.
    await sql`alter table users add constraint no_more check (false) not valid`.execute(db)
    expect((await call('/auth/signup', { ...person, email: 'another@example.com' })).status).toBe(500)

    service.signal('SIGTERM')
    await service.exited
    expect(service.logs).toContain('request failed')
    const secrets = [person.email, 'another@example.com', person.password, 'a wrong pass phrase', '$argon2id$']
    for (const secret of [
      ...secrets,
      json.refresh_token.token,
      json.access_token.token,
      serviceEnv(url).JWT_SECRET ?? '',
    ]) {
      expect(service.logs).not.toContain(secret)
    }
  })
})

async function metricsOf({ opsUrl }: ServiceProcess): Promise<string> {
  return (await fetch(`${opsUrl}/metrics`)).text()
}

async function sendHalf(url: string, token: string) {
  const connection = await openConnection(url)
  const { socket } = connection
  const body = JSON.stringify({ entry: 'credit', amount: 1, trans_id: randomUUID() })
  const request = formatRequest('POST', '/api/v1/transactions', { token, body })
  const half = request.length - body.length + 10
  socket.write(request.slice(0, half))
  // Once the server has answered a later request, it has received this head.
  await fetch(`${url}/openapi.json`).then((response) => response.arrayBuffer())
  return {
    finish: () => void socket.write(request.slice(half)),
    answer: once(socket, 'close').then(() => connection.received),
  }
}

/** Whether a new connection is refused. */
async function refuses(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  try {
    await once(socket, 'connect')
    return false
  } catch {
    return true
  } finally {
    socket.destroy()
  }
}
