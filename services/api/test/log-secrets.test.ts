import { expect, startTcpProxy, test, waitFor } from '@streamledger/testkit'
import { sql } from 'kysely'
import { makeEnv, makePerson } from './api.ts'
import { spawnApis } from './api-processes.ts'
import { createClient } from './client.ts'
import { openConnection } from './raw-connection.ts'

/** Places where people and faulty programs put secrets. */
function oddRequests(secret: string): string[] {
  const head = 'Host: localhost\r\nConnection: close\r\n'
  const body = `{"email":"${secret}","password":"${secret}`
  return [
    `GET /api/v1/wallet?access_token=${secret}&password=${secret} HTTP/1.1\r\n${head}\r\n`,
    `GET /nothing/${secret}?token=${secret} HTTP/1.1\r\n${head}\r\n`,
    `GET /api/v1/transactions?cursor=${secret} HTTP/1.1\r\n${head}Authorization: Basic ${secret}\r\n\r\n`,
    `GET /api/v1/wallet HTTP/1.1\r\n${head}Cookie: session=${secret}\r\nX-Api-Key: ${secret}\r\n\r\n`,
    `POST /api/v1/auth/login HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    `POST /api/v1/auth/login HTTP/1.1\r\n${head}Content-Type: text/${secret}\r\nContent-Length: 1\r\n\r\nx`,
    `GET /${secret} HTTP/1.1\r\nHost: localhost\r\n${secret}\r\n\r\n`, // no header at all: never becomes a request
    `GET /${secret.repeat(2_000)} HTTP/1.1\r\n${head}\r\n`,
  ]
}

test('no log line, of any level, has a secret or a person in it, and each names its request', async ({
  createDatabase,
  spawnService,
}) => {
  const { url, db } = await createDatabase()
  const proxy = await startTcpProxy(url)
  const secret = 'odd-secret-7f3a9c'
  const person = makePerson({ first_name: 'Zebulonia', last_name: 'Quartermaine', password: 'a secret pass phrase' })
  const JWT_SECRET_PREVIOUS = 'the secret before, of 32 bytes or more'
  try {
    const env = { LOG_LEVEL: 'trace', REFRESH_GRACE_MS: '0', JWT_SECRET_PREVIOUS }
    const [api] = await spawnApis(spawnService, proxy.address, { env })
    if (!api) throw new Error('there is no API')
    const anonymous = createClient(api.url)
    const post = (path: string, body: object) => anonymous.call('POST', path, { body })
    const { json } = await post('/auth/signup', person)
    const client = createClient(api.url, json)
    await post('/auth/login', { email: person.email, password: 'a wrong pass phrase' })
    const { email, password } = person
    expect((await post('/auth/login', { email, password })).status).toBe(200)
    const { json: next } = await post('/auth/refresh', { refresh_token: json.refresh_token.token })
    expect((await post('/auth/refresh', { refresh_token: json.refresh_token.token })).status).toBe(401)
    await post('/auth/logout', { refresh_token: next.refresh_token.token })
    await client.post('credit', 5)
    await client.call('POST', '/transactions/export')
    for (const text of oddRequests(secret)) {
      const connection = await openConnection(api.url)
      connection.socket.write(text)
      await connection.closed
    }
    // Faults in a statement with personal data: Postgres would quote the row in its error.
    await sql`alter table users add constraint no_more check (false) not valid`.execute(db)
    const failed = await post('/auth/signup', { ...person, email: 'another@example.com' })
    expect(failed.status).toBe(500)
    proxy.goDown()
    const turnedAway = await client.get('/transactions')
    expect(turnedAway.status).toBe(503)
    proxy.comeUp()
    await waitFor(async () => (await client.get('/wallet')).status === 200)
    api.signal('SIGTERM')
    await api.exited

    const lines = api.logs
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    for (const [msg, answer] of [
      ['request failed', failed],
      ['requests are answered 503', turnedAway],
    ] as const) {
      expect(lines).toContainEqual(expect.objectContaining({ msg, request_id: answer.headers.get('x-request-id') }))
    }
    const secrets = [
      ...[secret, person.email, 'another@example.com', person.password, 'a wrong pass phrase', '$argon2id$'],
      ...[person.first_name, person.last_name, makeEnv(url).JWT_SECRET ?? '', JWT_SECRET_PREVIOUS],
      ...[json, next].flatMap(({ access_token, refresh_token }) => [access_token.token, refresh_token.token]),
      ...[new URL(url).password, proxy.address].filter((text) => text !== ''),
    ]
    for (const each of secrets) expect(api.logs).not.toContain(each)
  } finally {
    await proxy.close()
  }
})
