import { setTimeout as delay } from 'node:timers/promises'
import { expect, startApi, test, waitFor } from './api.ts'

const LAG_MAX_MS = 100
/** How long the test blocks each turn of the event loop that it shares with the API. */
const TURN_MS = 3 * LAG_MAX_MS
/** Long enough to measure so many healthy turns that they would outweigh late ones for a minute, if never reset. */
const HEALTHY_MS = 4_000

test('a replica that is behind with its work refuses more of it, until it has caught up', async ({ database }) => {
  const api = await startApi(database.url, { EVENT_LOOP_LAG_MAX_MS: String(LAG_MAX_MS) })
  const patience = { timeoutMs: 30_000 }
  const isServed = async () => (await api.anonymous.get('/wallet')).status === 401
  await delay(HEALTHY_MS)
  expect(await isServed()).toBe(true)
  const hold = setInterval(() => {
    const end = performance.now() + TURN_MS
    while (performance.now() < end);
  }, 1)
  try {
    await waitFor(async () => !(await isServed()), patience)
    const { status, json, headers } = await api.anonymous.get('/wallet')
    expect(status).toBe(503)
    expect(json).toMatchObject({ code: 'overloaded', status: 503 })
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    clearInterval(hold)
    await waitFor(isServed, patience)
  } finally {
    clearInterval(hold)
    await api.stop()
  }
})
