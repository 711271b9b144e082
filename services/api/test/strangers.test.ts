import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Api, describe, expect, test } from './api.ts'
import type { Call, Client, Json } from './client.ts'

// Walks the OpenAPI document, so that a new path with a parameter needs a line here.
const document: Json = JSON.parse(readFileSync(join(import.meta.dirname, '../../../docs/openapi.json'), 'utf8'))
const operations = Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
  Object.entries<Json>(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
)
const parametersOf = (operation: Json): Json[] => operation.parameters ?? []
const named = operations.filter(({ operation }) =>
  parametersOf(operation).some((parameter) => parameter.in === 'path' || parameter.name === 'cursor'),
)
const closed = operations.filter(({ operation }) => operation.security)

/** Ada's values for each path parameter: one per path, or one for all paths. */
type Belongings = Record<string, string | Record<string, string>>

async function makeBelongings(ada: Client): Promise<Belongings> {
  const { json: transaction } = await ada.post('credit', 31_337, 'the secret of Ada')
  await ada.post('credit', 1)
  const exports: Json[] = []
  for (let count = 0; count < 2; count += 1) exports.push((await ada.call('POST', '/transactions/export')).json)
  const cursorOf = async (path: string) => (await ada.get(`${path}?limit=1`)).json.pagination.next_cursor
  return {
    transaction_id: String(transaction.transaction_id),
    trans_id: 'the secret of Ada',
    export_id: exports[0].export_id,
    cursor: {
      '/api/v1/transactions': await cursorOf('/transactions'),
      '/api/v1/transactions/exports': await cursorOf('/transactions/exports'),
    },
  }
}

function addressOf(path: string, operation: Json, belongings: Belongings): string {
  const query = new URLSearchParams()
  let address = path
  for (const parameter of parametersOf(operation)) {
    if (parameter.in !== 'path' && parameter.name !== 'cursor') continue
    const owned = belongings[parameter.name]
    const value = typeof owned === 'object' ? owned[path] : owned
    if (value === undefined) throw new Error(`what of Ada's is ${parameter.name} of ${path}? Add it to makeBelongings`)
    if (parameter.in === 'path') address = address.replace(`{${parameter.name}}`, encodeURIComponent(value))
    else query.set(parameter.name, value)
  }
  return `/${address}${query.size > 0 ? `?${query}` : ''}`
}

/** All of Ada's rows in the database. */
async function snapshotOf(ada: Client): Promise<string[]> {
  const paths = ['/wallet', '/transactions', '/transactions/exports']
  return Promise.all(paths.map(async (path) => (await ada.get(path)).text))
}

async function setScene(api: Api) {
  const [ada, stranger] = [await api.signUp({ first_name: 'Adaobi' }), await api.signUp({ first_name: 'Stranger' })]
  return { ada, stranger, belongings: await makeBelongings(ada) }
}

describe('somebody else’s', () => {
  test('every path that takes an id or a cursor is walked', () => {
    expect(named.length).toBeGreaterThanOrEqual(7)
  })

  test.for(named)('$method $path gives a stranger nothing', async ({ method, path, operation }, { api }) => {
    const { ada, stranger, belongings } = await setScene(api)
    const before = await snapshotOf(ada)
    const address = addressOf(path, operation, belongings)
    const answer = await stranger.call(method, address)
    expect(answer.status).toBe(address.includes('cursor=') ? 400 : 404)
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    for (const part of ['Adaobi', '31337', ada.account.user.email]) expect(answer.text).not.toContain(part)
    expect(await snapshotOf(ada)).toEqual(before)
    // The same path works for Ada: it is refused because of the stranger.
    expect((await ada.call(method, address)).status).not.toBe(answer.status)
  })

  test.for(closed)(
    '$method $path gives nobody anything without a token',
    async ({ method, path, operation }, { api }) => {
      const { ada, belongings } = await setScene(api)
      const before = await snapshotOf(ada)
      const call: Call = method === 'POST' ? { body: { entry: 'credit', amount: 1, trans_id: 'x' } } : {}
      const answer = await api.anonymous.call(method, addressOf(path, operation, belongings), call)
      expect(answer).toMatchObject({ status: 401, json: { code: 'unauthenticated' } })
      expect(await snapshotOf(ada)).toEqual(before)
    },
  )

  test('every path but those of signing in wants a token', () => {
    const open = operations.filter(({ operation }) => !operation.security).map(({ path }) => path)
    expect(open.sort()).toEqual(['login', 'logout', 'refresh', 'signup'].map((name) => `/api/v1/auth/${name}`))
  })
})
