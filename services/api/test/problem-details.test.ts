import { once } from 'node:events'
import { gzipSync } from 'node:zlib'
import { type Api, describe, expect, startApi, test } from './api.ts'
import type { Answer } from './client.ts'
import { openConnection } from './raw-connection.ts'

const UUID = expect.stringMatching(/^[0-9a-f-]{36}$/)
const TRANSACTION = '{"entry":"credit","amount":1,"trans_id":"a"}'

function expectProblem(answer: Answer, status: number, code: string): void {
  expect(answer.status).toBe(status)
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
  expect(answer.json).toMatchObject({
    type: `urn:streamledger:problem:${code}`,
    title: expect.stringMatching(/^[A-Z][a-z ]+$/),
    ...{ status, code, detail: expect.any(String), instance: expect.any(String), request_id: UUID },
  })
  expect(answer.json.request_id).toBe(answer.headers.get('x-request-id'))
}

/** Sends bytes as they are and reads until the server closes. */
async function sendRaw(api: Api, text: string): Promise<string> {
  const connection = await openConnection(api.url)
  connection.socket.write(text)
  await once(connection.socket, 'close', { signal: AbortSignal.timeout(10_000) })
  return connection.received
}

describe('a path', () => {
  test('that is nobody’s is answered 404', async ({ api }) => {
    for (const path of [
      '/nothing',
      '//',
      '//favicon.ico',
      '/wallet/',
      '/Wallet',
      '/transactions/1/2',
      '//api/v2/wallet',
    ]) {
      expectProblem(await api.anonymous.get(path), 404, 'not_found')
    }
  })

  test.for([
    ['PUT', '/wallet', 'GET, HEAD'],
    ['POST', '/wallet', 'GET, HEAD'],
    ['DELETE', '/transactions', 'GET, HEAD, POST'],
    ['GET', '/auth/login', 'POST'],
    ['PATCH', '/transactions/7', 'GET, HEAD'],
    ['PUT', '/transactions/by-trans-id/a', 'GET, HEAD'],
    ['PUT', '/transactions/outcome', 'GET, HEAD'],
    ['PUT', '/transactions/export', 'POST'],
    ['PUT', '/transactions/exports/0190c1d0-0000-7000-8000-000000000000', 'DELETE, GET, HEAD'],
    ['OPTIONS', '/wallet', 'GET, HEAD'],
    ['POST', '//openapi.json', 'GET, HEAD'],
    ['POST', '//docs/', 'GET, HEAD'],
  ] as const)('answers 405 and Allow to %s %s', async ([method, path, allow], { api }) => {
    const answer = await api.anonymous.call(method, path)
    expectProblem(answer, 405, 'method_not_allowed')
    expect(answer.headers.get('allow')).toBe(allow)
  })

  test('with a wrong method, or that is nobody’s, is told so whatever the body', async ({ api }) => {
    const bodies = [
      { raw: 'a=b', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      { raw: '{' },
      { raw: `"${'x'.repeat(70_000)}"` },
    ]
    for (const body of bodies) {
      expectProblem(await api.anonymous.call('POST', '/wallet', body), 405, 'method_not_allowed')
      expectProblem(await api.anonymous.call('POST', '/nothing', body), 404, 'not_found')
    }
  })

  test('that is no URL is told so', async ({ api }) => {
    expectProblem(await api.anonymous.get('/transactions/%zz'), 400, 'malformed_request')
  })

  test('of one thing is not taken for the name of another', async ({ api }) => {
    const client = await api.signUp()
    const answer = await client.get('/transactions/export')
    expectProblem(answer, 405, 'method_not_allowed')
    expect(answer.headers.get('allow')).toBe('POST')
  })

  test('answers no other origin, whatever it asks', async ({ api }) => {
    const answer = await api.anonymous.get('/wallet', { headers: { origin: 'https://elsewhere.example' } })
    expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
  })
})

describe('a body', () => {
  test('over 64 KiB is refused, also when its length is not announced', async ({ api }) => {
    const client = await api.signUp()
    const raw = JSON.stringify({ trans_id: 'x'.repeat(65_536) })
    expectProblem(await client.call('POST', '/transactions', { raw }), 413, 'body_too_large')
    const signUp = { first_name: 'a', last_name: 'b', email: 'c@example.com', password: 'p'.repeat(1_048_576) }
    expectProblem(await api.anonymous.call('POST', '/auth/signup', { body: signUp }), 413, 'body_too_large')

    const chunked = await fetch(`${api.url}/api/v1/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new Blob([raw]).stream(),
      duplex: 'half',
    } as RequestInit)
    expect(chunked.status).toBe(413)
    await chunked.body?.cancel()
  })

  test.for([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/xml',
    'multipart/form-data; boundary=x',
    'json',
    '',
  ])('of the type "%s" is refused', async (type, { api }) => {
    const client = await api.signUp()
    const answer = await client.call('POST', '/transactions', {
      raw: new TextEncoder().encode(TRANSACTION),
      headers: { 'content-type': type },
    })
    expectProblem(answer, 415, 'unsupported_media_type')
    expect(await client.balance()).toBe(0)
  })

  test('that is packed is refused', async ({ api }) => {
    const client = await api.signUp()
    const answer = await client.call('POST', '/transactions', {
      raw: new Uint8Array(gzipSync(TRANSACTION)),
      headers: { 'content-encoding': 'gzip' },
    })
    expectProblem(answer, 415, 'unsupported_media_type')
  })

  test('with a type and a charset is taken', async ({ api }) => {
    const client = await api.signUp()
    const headers = { 'content-type': 'application/json; charset=utf-8' }
    expect((await client.call('POST', '/transactions', { raw: TRANSACTION, headers })).status).toBe(201)
  })

  test('is said to be wrong in each place that is, by pointer, twenty at most', async ({ api }) => {
    const client = await api.signUp()
    const body = { entry: 'loan', amount: 0, 'a/b~c': 1 }
    const answer = await client.call('POST', '/transactions', { body })
    expectProblem(answer, 400, 'invalid_request')
    expect(answer.json.instance).toBe('/api/v1/transactions')
    const found = Object.fromEntries(answer.json.errors.map((error: { pointer: string }) => [error.pointer, error]))
    expect(found).toEqual({
      '/trans_id': { in: 'body', pointer: '/trans_id', reason: 'is required' },
      '/a~1b~0c': { in: 'body', pointer: '/a~1b~0c', reason: 'is not known' },
      '/entry': { in: 'body', pointer: '/entry', reason: 'must be one of credit, debit' },
      '/amount': { in: 'body', pointer: '/amount', reason: 'must be >= 1' },
    })
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, 1]))
    expect((await client.call('POST', '/transactions', { body: many })).json.errors).toHaveLength(20)
  })
})

describe('what never becomes a request', () => {
  test.for([
    ['no HTTP', 'hello\r\n\r\n', 400, 'malformed_request'],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
      'malformed_request',
    ],
    ['a request line of 20 KB', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431, 'headers_too_large'],
    ['headers of 20 KB', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headers_too_large'],
  ] as const)('is answered and closed: %s', async ([, text, status, code], { api }) => {
    const answer = await sendRaw(api, text)
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(head).toMatch(/content-type: application\/problem\+json/i)
    expect(JSON.parse(body)).toMatchObject({ status, code, request_id: UUID })
    expect(head.toLowerCase()).toContain(`x-request-id: ${JSON.parse(body).request_id}`)
  })

  test('a request without a Host is refused in words, except in HTTP/1.0', async ({ api }) => {
    const answer = await sendRaw(api, 'GET /api/v1/wallet HTTP/1.1\r\nConnection: close\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1.1 400 [\s\S]*"code":"malformed_request"/)
    expect(await sendRaw(api, 'GET /api/v1/wallet HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 401 /)
  })

  test('an expectation that nobody knows is not asked for', async ({ api }) => {
    const text = 'GET /api/v1/wallet HTTP/1.1\r\nHost: a\r\nExpect: cake\r\nConnection: close\r\n\r\n'
    expect(await sendRaw(api, text)).toMatch(/^HTTP\/1.1 401 [\s\S]*"code":"unauthenticated"/)
  })

  test('a request that dribbles in is cut off in time', async ({ database }) => {
    const hasty = await startApi(database.url, { REQUEST_TIMEOUT_MS: '500' })
    try {
      for (const text of [
        'GET /api/v1/wallet HTTP/1.1\r\nHost: a\r\nX-Slow: ',
        `POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
      ]) {
        expect(await sendRaw(hasty, text)).toMatch(/^HTTP\/1.1 408 /)
      }
    } finally {
      await hasty.stop()
    }
  })

  test('a Host header that makes no URL is nobody’s business', async ({ api }) => {
    for (const path of ['/docs', '/docs/', '/openapi.json', '/api/v1/wallet']) {
      const answer = await sendRaw(api, `GET ${path} HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n`)
      expect(answer).toMatch(/^HTTP\/1.1 [234]\d\d /)
    }
  })
})
