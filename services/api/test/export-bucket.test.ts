import { randomBytes, randomUUID } from 'node:crypto'
import type { Db } from '@streamledger/db'
import { type Bucket, openBucket } from '@streamledger/export-files'
import { type OwnS3, startTcpProxy } from '@streamledger/testkit'
import { onTestFinished } from 'vitest'
import { loadApiConfig } from '../src/config.ts'
import { expect, makeEnv, startApi, test } from './api.ts'
import type { Client } from './client.ts'
import { insertFinishedExport } from './insert-finished-export.ts'

async function open(s3: OwnS3): Promise<Bucket> {
  const { files } = loadApiConfig(makeEnv('postgres://unused', s3.env))
  if (!files.bucket) throw new Error('there is no bucket')
  return openBucket(files.bucket)
}

/** An export as the exporter leaves it in a bucket. */
async function makeExport(db: Db, bucket: Bucket, client: Client, expires_at?: Date) {
  const bytes = randomBytes(100_000)
  const file = `${randomUUID()}.xlsx`
  await bucket.put(file, bytes, { type: 'application/octet-stream', size: bytes.length })
  const { wallet_id } = client.account.wallet
  const finished = { file, sha256: 'ab'.repeat(32), size: bytes.length, expires_at }
  const id = await insertFinishedExport(db, { wallet_id, ...finished })
  return { bytes, file, path: `/transactions/exports/${id}` }
}

test('a file in S3 is fetched from there, by a signed address that ends soon', async ({
  database: { db, url },
  startS3,
}) => {
  const s3 = await startS3()
  const bucket = await open(s3)
  const api = await startApi(url, s3.env)
  try {
    const client = await api.signUp()
    const made = await makeExport(db, bucket, client)
    const ask = (headers: object = {}, method = 'GET') =>
      fetch(`${api.url}/api/v1${made.path}/file`, {
        ...{ method, redirect: 'manual' },
        headers: { authorization: `Bearer ${client.account.access_token.token}`, ...headers },
      })

    const sent = await ask()
    expect(sent.status).toBe(302)
    expect(sent.headers.get('cache-control')).toBe('no-store')
    const location = new URL(sent.headers.get('location') ?? '')
    expect(location.origin).toBe(s3.env.EXPORT_S3_ENDPOINT)
    expect(location.searchParams.get('X-Amz-Expires')).toBe('300')

    const whole = await fetch(location)
    expect(Buffer.from(await whole.arrayBuffer()).equals(made.bytes)).toBe(true)
    expect(whole.headers.get('content-disposition')).toMatch(/^attachment; filename="transactions-.*\.xlsx"$/)
    expect(whole.headers.get('content-type')).toBe('application/vnd.openxmlformats-officedocument.spreadsheetml.sheet')
    const etag = whole.headers.get('etag') ?? ''
    const rest = await fetch(location, { headers: { range: 'bytes=99990-', 'if-range': etag } })
    expect(rest.status).toBe(206)
    expect(Buffer.from(await rest.arrayBuffer()).equals(made.bytes.subarray(99_990))).toBe(true)

    location.searchParams.set('X-Amz-Expires', '3000')
    expect((await fetch(location)).status).toBe(403)
    const known = await ask({ 'if-none-match': `"${'ab'.repeat(32)}"` })
    expect(known.status).toBe(304)
    const head = await ask({}, 'HEAD')
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '100000'])

    // Recorded once, when the URL was issued.
    const { user_id } = client.account.user
    const events = await db.selectFrom('security_events').select('kind').where('user_id', '=', user_id).execute()
    expect(events.map(({ kind }) => kind)).toEqual(['signed_up', 'export_downloaded'])
  } finally {
    await api.stop()
  }
})

test('a file that the bucket has lost is to be ordered again; where nobody knows, people are sent there', async ({
  database: { db, url },
  startS3,
}) => {
  const s3 = await startS3()
  const bucket = await open(s3)
  const api = await startApi(url, s3.env)
  try {
    const client = await api.signUp()
    const lost = await makeExport(db, bucket, client)
    await bucket.remove(lost.file)
    for (const method of ['GET', 'HEAD']) expect((await client.call(method, `${lost.path}/file`)).status).toBe(410)
    expect((await client.get(`${lost.path}/file`)).json.code).toBe('export_file_missing')
    const { user_id } = client.account.user
    const events = await db.selectFrom('security_events').select('kind').where('user_id', '=', user_id).execute()
    expect(events.map(({ kind }) => kind)).toEqual(['signed_up'])

    const unknown = await makeExport(db, bucket, client)
    await s3.kill()
    expect((await client.get(`${unknown.path}/file`)).status).toBe(302)
  } finally {
    await api.stop()
  }
})

test('an address never outlives the file, and an export that is removed takes its file along', async ({
  database: { db, url },
  startS3,
}) => {
  const s3 = await startS3()
  const bucket = await open(s3)
  const api = await startApi(url, s3.env)
  try {
    const client = await api.signUp()
    const short = await makeExport(db, bucket, client, new Date(Date.now() + 30_000))
    const headers = { authorization: `Bearer ${client.account.access_token.token}` }
    const sent = await fetch(`${api.url}/api/v1${short.path}/file`, { redirect: 'manual', headers })
    const seconds = Number(new URL(sent.headers.get('location') ?? '').searchParams.get('X-Amz-Expires'))
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThanOrEqual(30)

    expect((await client.call('DELETE', short.path)).status).toBe(204)
    expect(await bucket.sizeOf(short.file)).toBeUndefined()
    // With S3 down, users can still delete their exports; the exporter removes the file later.
    const other = await makeExport(db, bucket, client)
    await s3.kill()
    expect((await client.call('DELETE', other.path)).status).toBe(204)
    expect((await client.get(other.path)).status).toBe(404)
  } finally {
    await api.stop()
  }
})

test('an S3 that does not answer holds neither the removal of an export nor a stop', async ({
  database: { db, url },
  startS3,
}) => {
  const s3 = await startS3()
  const bucket = await open(s3)
  const proxy = await startTcpProxy(s3.env.EXPORT_S3_ENDPOINT as string)
  onTestFinished(() => proxy.close())
  const api = await startApi(url, { ...s3.env, EXPORT_S3_ENDPOINT: proxy.address })
  try {
    const client = await api.signUp()
    const { path } = await makeExport(db, bucket, client)
    proxy.hang()
    expect((await client.call('DELETE', path)).status).toBe(204)
    expect((await client.get(path)).status).toBe(404)
  } finally {
    await api.stop()
  }
})
