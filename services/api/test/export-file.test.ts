import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Db } from '@streamledger/db'
import { listOpenFiles } from '@streamledger/testkit'
import { onTestFinished } from 'vitest'
import { type Api, describe, expect, makePerson, test, waitFor } from './api.ts'
import { spawnApis } from './api-processes.ts'
import { type Client, createClient } from './client.ts'
import { insertFinishedExport } from './insert-finished-export.ts'

const SIZE = 200_000

/** An export as the exporter leaves it, with its file. */
async function makeExport(
  api: Pick<Api, 'exportFolder'>,
  db: Db,
  client: Client,
  change: { expires_at?: Date; file?: string } = {},
) {
  const bytes = randomBytes(SIZE)
  const file = `${randomUUID()}.xlsx`
  await writeFile(join(api.exportFolder, file), bytes)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const { wallet_id } = client.account.wallet
  const id = await insertFinishedExport(db, { wallet_id, file, sha256, size: SIZE, ...change })
  return { id, bytes, sha256, path: `/transactions/exports/${id}`, file: join(api.exportFolder, file) }
}

async function download(api: Api, client: Client, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${api.url}/api/v1${path}/file`, {
    headers: { authorization: `Bearer ${client.account.access_token.token}`, ...headers },
  })
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) }
}

/** The workbooks that this process, which is the API, holds open. */
const listOpenWorkbooks = ({ exportFolder }: Api): string[] =>
  listOpenFiles(process.pid).filter((path) => path.startsWith(`${exportFolder}/`))

describe('a download', () => {
  test('is the file, whole, under a name, and for nobody to keep on the way', async ({ api, database: { db } }) => {
    const client = await api.signUp()
    const made = await makeExport(api, db, client)
    const view = await client.get(made.path)
    expect(view.json).toMatchObject({ status: 'succeeded', size: SIZE, sha256: made.sha256 })
    expect(view.json.file_url).toBe(`/api/v1${made.path}/file`)

    const { status, headers, bytes } = await download(api, client, made.path)
    expect(status).toBe(200)
    expect(bytes.equals(made.bytes)).toBe(true)
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-length': String(SIZE),
      'content-type': 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
      'content-disposition': expect.stringMatching(/^attachment; filename="transactions-\d{4}-\d\d-\d\d\.xlsx"$/),
      etag: `"${made.sha256}"`,
      'accept-ranges': 'bytes',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
  })

  test.for([
    ['bytes=0-0', 0, 0],
    ['bytes=100-199', 100, 199],
    ['bytes=199990-', 199_990, 199_999],
    ['bytes=-5', 199_995, 199_999],
    ['bytes=-999999', 0, 199_999],
    ['bytes=5-999999', 5, 199_999],
  ] as const)('of %s is that part', async ([range, start, end], { api, database: { db } }) => {
    const client = await api.signUp()
    const made = await makeExport(api, db, client)
    const { status, headers, bytes } = await download(api, client, made.path, { range })
    expect(status).toBe(206)
    expect(headers.get('content-range')).toBe(`bytes ${start}-${end}/${SIZE}`)
    expect(headers.get('content-length')).toBe(String(end - start + 1))
    expect(bytes.equals(made.bytes.subarray(start, end + 1))).toBe(true)
  })

  test.for(['bytes=200000-', 'bytes=200000-200001', 'bytes=-0', 'bytes=999999-'])(
    'of %s is outside of the file',
    async (range, { api, database: { db } }) => {
      const client = await api.signUp()
      const { path } = await makeExport(api, db, client)
      const { status, headers, bytes } = await download(api, client, path, { range })
      expect(status).toBe(416)
      expect(headers.get('content-range')).toBe(`bytes */${SIZE}`)
      expect(JSON.parse(bytes.toString()).code).toBe('range_not_satisfiable')
      expect(headers.has('content-disposition')).toBe(false)
      expect(listOpenWorkbooks(api)).toEqual([])
    },
  )

  test.for(['bytes=0-1,5-6', 'bytes=9-5', 'lines=1-2', 'bytes=', 'bytes=a-b', 'bytes=-'])(
    'with the range "%s" is the whole file',
    async (range, { api, database: { db } }) => {
      const client = await api.signUp()
      const { path } = await makeExport(api, db, client)
      const { status, bytes } = await download(api, client, path, { range })
      expect([status, bytes.length]).toEqual([200, SIZE])
    },
  )

  test('is resumed only where it is still the same file', async ({ api, database: { db } }) => {
    const client = await api.signUp()
    const { path, sha256 } = await makeExport(api, db, client)
    const resume = (ifRange: string) => download(api, client, path, { range: 'bytes=10-', 'if-range': ifRange })
    expect((await resume(`"${sha256}"`)).status).toBe(206)
    expect((await resume('"another"')).status).toBe(200)
  })

  test.for([
    ['its tag among others', (sha256: string) => `"x", W/"${sha256}"`, 304],
    ['anything', () => '*', 304],
    ['another tag', () => '"x"', 200],
  ] as const)(
    'for one who names %s as known sends nothing that is',
    async ([, tags, status], { api, database: { db } }) => {
      const client = await api.signUp()
      const { path, sha256 } = await makeExport(api, db, client)
      const answer = await download(api, client, path, { 'if-none-match': tags(sha256) })
      expect([answer.status, answer.bytes.length]).toEqual([status, status === 304 ? 0 : SIZE])
      // The file is closed when its stream ends, which may be shortly after the client has received it.
      await waitFor(() => listOpenWorkbooks(api).length === 0)
    },
  )

  test('by HEAD says all of it and sends nothing', async ({ api, database: { db } }) => {
    const client = await api.signUp()
    const { path } = await makeExport(api, db, client)
    // The standard defines ranges for GET only.
    for (const range of ['bytes=0-', 'bytes=10-19', 'bytes=200000-']) {
      const answer = await client.call('HEAD', `${path}/file`, { headers: { range } })
      expect(answer).toMatchObject({ status: 200, text: '' })
      expect(answer.headers.get('content-length')).toBe(String(SIZE))
    }
  })

  test('before it is ready is a conflict, after it has expired it is gone', async ({ api, database: { db } }) => {
    const client = await api.signUp()
    const { json } = await client.call('POST', '/transactions/export')
    const queued = await client.get(`/transactions/exports/${json.export_id}/file`)
    expect(queued).toMatchObject({ status: 409, json: { code: 'export_not_ready' } })

    const late = await makeExport(api, db, client, { expires_at: new Date(Date.now() - 1) })
    expect(await client.get(`${late.path}/file`)).toMatchObject({ status: 410, json: { code: 'export_expired' } })
    await db.updateTable('exports').set({ status: 'expired' }).where('id', '=', late.id).execute()
    expect((await client.get(`${late.path}/file`)).status).toBe(410)
  })

  test('of a file that is not the one that was written fails, and says nothing of why', async ({
    api,
    database: { db },
  }) => {
    const client = await api.signUp()
    const cut = await makeExport(api, db, client)
    await writeFile(cut.file, 'half')
    const answer = await client.get(`${cut.path}/file`)
    expect(answer).toMatchObject({ status: 500, json: { code: 'internal_error' } })
    expect(answer.text).not.toMatch(/EXPORT_DIR|ENOENT|bytes/)
    expect(listOpenWorkbooks(api)).toEqual([])
  })

  test('of a file that the store has lost says to order it again, and its operator hears of it', async ({
    createDatabase,
    spawnService,
  }) => {
    const { db, url } = await createDatabase()
    const folder = await mkdtemp(join(tmpdir(), 'exports-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const [api] = await spawnApis(spawnService, url, { env: { EXPORT_DIR: folder } })
    if (!api) throw new Error('there is no API')
    const { json: account } = await createClient(api.url).call('POST', '/auth/signup', { body: makePerson() })
    const client = createClient(api.url, account)
    const { path, id } = await makeExport({ exportFolder: folder }, db, client, { file: `${randomUUID()}.xlsx` })

    const answer = await client.get(`${path}/file`)

    expect(answer).toMatchObject({ status: 410, json: { code: 'export_file_missing' } })
    expect(answer.json.detail).toContain('Order it again')
    const line = await waitFor(() => api.logs.split('\n').find((text) => text.includes('is not in the store')) ?? false)
    expect(JSON.parse(String(line))).toMatchObject({
      level: 'error',
      export_id: id,
      request_id: answer.json.request_id,
    })
    const { user_id } = client.account.user
    const downloads = await db.selectFrom('security_events').select('kind').where('user_id', '=', user_id).execute()
    expect(downloads).toEqual([{ kind: 'signed_up' }])
    expect((await client.call('POST', '/transactions/export')).status).toBe(202)
    expect((await client.call('DELETE', path)).status).toBe(204)

    // If the folder is not mounted, its files are not lost: users must not be asked to order them again.
    const other = await makeExport({ exportFolder: folder }, db, client)
    await rm(folder, { recursive: true })
    expect(await client.get(`${other.path}/file`)).toMatchObject({ status: 500, json: { code: 'internal_error' } })
  })
})

test.for(['beside the folder', 'anywhere'])(
  'a row that points to a file %s, of the right size even, neither shows nor removes it',
  async (where, { api, database: { db } }) => {
    const folder = await mkdtemp(join(tmpdir(), 'private-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const secret = join(folder, 'secret.xlsx')
    await writeFile(secret, randomBytes(SIZE))
    const client = await api.signUp()
    const file = where === 'anywhere' ? secret : join('..', basename(folder), 'secret.xlsx')
    const { path } = await makeExport(api, db, client, { file })

    for (const [method, target] of [
      ['GET', `${path}/file`],
      ['DELETE', path],
    ] as const) {
      const answer = await client.call(method, target)
      expect(answer.text).not.toMatch(/EXPORT_DIR|outside|private-/)
      expect([method, answer.status, existsSync(secret)]).toEqual([method, method === 'GET' ? 500 : 204, true])
    }
  },
)

test('a finished export of somebody else is not there to be removed, nor its file', async ({
  api,
  database: { db },
}) => {
  const made = await makeExport(api, db, await api.signUp())
  const stranger = await api.signUp()

  expect(await stranger.call('DELETE', made.path)).toMatchObject({ status: 404, json: { code: 'export_not_found' } })

  expect(existsSync(made.file)).toBe(true)
  expect(await db.selectFrom('exports').select('status').where('id', '=', made.id).execute()).toEqual([
    { status: 'succeeded' },
  ])
})

test('a finished export that is deleted takes its file with it', async ({ api, database: { db } }) => {
  const client = await api.signUp()
  const made = await makeExport(api, db, client)
  const other = await makeExport(api, db, client)
  expect((await client.call('DELETE', made.path)).status).toBe(204)
  expect([existsSync(made.file), existsSync(other.file)]).toEqual([false, true])
  expect((await client.get(made.path)).status).toBe(404)
})
