import { readFile } from 'node:fs/promises'
import Type from 'typebox'
import { describe, expect, test } from 'vitest'
import { backOffMs, createRegistry, parseEnv, sleep, startOpsServer } from '../src/index.ts'

describe('the environment', () => {
  const schema = () =>
    Type.Object({
      URL: Type.String({ minLength: 1 }),
      PORT: Type.Integer({ minimum: 1, maximum: 65_535, default: 3000 }),
    })

  test('is read as the types that the schema names, empty counting as not set', () => {
    expect(parseEnv(schema(), { URL: 'x', PORT: '8080', OTHER: 'y' })).toEqual({ URL: 'x', PORT: 8080 })
    expect(parseEnv(schema(), { URL: 'x', PORT: '' })).toEqual({ URL: 'x', PORT: 3000 })
  })

  test('is refused with every variable that is missing or does not parse, and without their values', () => {
    const secret = 'not-a-port-but-a-secret'
    expect(() => parseEnv(schema(), { PORT: secret })).toThrow(
      /URL is not set.*PORT must be integer|PORT must be integer.*URL is not set/,
    )
    expect(() => parseEnv(schema(), { URL: '', PORT: '0' })).toThrow('PORT must be >= 1')
    expect(() => parseEnv(schema(), { PORT: secret })).not.toThrow(secret)
  })
})

test('a back-off doubles up to its maximum, at least half of it certain', () => {
  const options = { baseMs: 100, maxMs: 1_000 }
  expect([1, 2, 3, 4, 5, 60].map((attempt) => backOffMs(attempt, options, () => 1))).toEqual([
    100, 200, 400, 800, 1_000, 1_000,
  ])
  expect(backOffMs(3, options, () => 0)).toBe(200)
})

test('a sleep ends when it is aborted', async () => {
  const stop = new AbortController()
  const slept = sleep(60_000, stop.signal)
  stop.abort()
  await expect(slept).resolves.toBeUndefined()
  await expect(sleep(60_000, stop.signal)).resolves.toBeUndefined()
})

test('the metrics of every service say which release it is', async () => {
  const { version } = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8'))
  const line = `streamledger_build_info{version="${version}",service="test"} 1`
  expect(await createRegistry('test').metrics()).toContain(line)
})

test('the ops port tells of life, readiness and metrics, and of nothing else', async () => {
  let ready = false
  const ops = await startOpsServer(
    { ready: () => ready, registry: createRegistry('test') },
    { host: '127.0.0.1', port: 0 },
  )
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${ops.port}${path}`, { method })
    return { status: response.status, text: await response.text() }
  }
  expect(await get('/health/live')).toMatchObject({ status: 200 })
  expect(await get('/health/ready')).toMatchObject({ status: 503 })
  ready = true
  expect(await get('/health/ready')).toMatchObject({ status: 200 })
  expect(await get('/metrics')).toMatchObject({ status: 200, text: expect.stringContaining('service="test"') })
  expect(await get('/other')).toMatchObject({ status: 404 })
  expect(await get('/health/ready', 'POST')).toMatchObject({ status: 405 })
  await ops.close()
})
