import { expect, test } from '@streamledger/testkit'
import { retryUnavailable } from '../src/retry-unavailable.ts'

const down = Object.assign(new Error('no'), { code: 'ECONNREFUSED' })

test('patience that ends while it waits for the next try has no next try', async () => {
  const abort = new AbortController()
  let tries = 0
  const work = async (): Promise<never> => {
    tries += 1
    setImmediate(() => abort.abort()) // it waits by then
    throw down
  }

  await expect(retryUnavailable(work, { patienceMs: 10_000, signal: abort.signal })).rejects.toBe(down)

  expect(tries).toBe(1)
})
