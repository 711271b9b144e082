import { expect, test, waitFor } from '@streamledger/testkit'
import { spawnApis } from './api-processes.ts'
import { makeUsers } from './ledger/wallets.ts'
import { expectTruth } from './ledger-truth.ts'
import { startLoad } from './posting-load.ts'

test('of two API processes that post to one wallet without a pause, neither is starved', async ({
  createDatabase,
  spawnService,
}) => {
  const POSTINGS = 2_000
  const CLIENTS = 32
  const SHARE_MIN = 0.2
  const { pool, url } = await createDatabase()
  const services = await spawnApis(spawnService, url, { count: 2 })
  const users = await makeUsers(pool, 1)
  const loads = services.map((service) => startLoad({ targets: [service.url], users, clients: CLIENTS }))
  const counts = () => loads.map(({ answered }) => answered.length)
  const total = () => counts().reduce((sum, count) => sum + count, 0)
  // Counted from the time when both are posting.
  await waitFor(() => Math.min(...counts()) > CLIENTS)
  const before = counts()
  const until = total() + POSTINGS
  await waitFor(() => total() >= until, { timeoutMs: 30_000, intervalMs: 5 })
  const shares = counts().map((count, index) => (count - (before[index] as number)) / POSTINGS)
  await Promise.all(loads.map((load) => load.stop()))
  expect(Math.min(...shares)).toBeGreaterThan(SHARE_MIN)
  await expectTruth(
    pool,
    loads.flatMap(({ answered }) => answered),
  )
})
