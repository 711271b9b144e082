import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { claimInstallation } from '@streamledger/db'
import { expect, test } from '@streamledger/testkit'
import { seedHistory } from '../src/ledger/seed-history.ts'
import { seedUsers } from '../src/ledger/seed-users.ts'
import { signAccessToken } from '../src/ledger/sign-access-token.ts'
import { describeFaults, verifyLedger } from '../src/ledger/verify-ledger.ts'
import { postWorkload } from '../src/load/post-workload.ts'
import { runClosedLoop } from '../src/load/run-load.ts'
import { findPage } from '../src/suites/find-page.ts'

const USERS = 5
const PARTITIONS = 4
const CONNECTIONS = 8

test('the API takes what the bench sends it: tokens, requests, pages; and the ledger holds', async ({
  createDatabase,
  spawnService,
  onTestFinished,
}) => {
  const workDir = mkdtempSync(join(tmpdir(), 'bench-api-'))
  onTestFinished(() => rmSync(workDir, { recursive: true, force: true }))
  const { pool, url } = await createDatabase()
  const installationId = randomUUID()
  const topic = await claimInstallation(pool, { installationId, topic: 'transactions', partitions: PARTITIONS })
  const users = await seedUsers({ pool, partitions: PARTITIONS, eventSource: topic.event_source }, USERS)
  const jwtSecret = randomUUID().repeat(2)
  const env = { DATABASE_URL: url, INSTALLATION_ID: installationId, JWT_SECRET: jwtSecret, EXPORT_DIR: workDir }
  const api = await spawnService('services/api/src/main.ts', env)
  await api.ready()

  const deps = { workDir, wrk: undefined, signal: new AbortController().signal }
  const workload = postWorkload({ jwtSecret }, users, { choice: 'zipf', replayEvery: 5, refuseEvery: 7 })
  const load = await runClosedLoop(deps, { url: api.url, workload, seconds: 2, connections: CONNECTIONS })
  expect(load).toMatchObject({ unexpected: 0, broken: 0 })
  expect(load.refused).toBeGreaterThan(0)

  const { transactions, refusals, faults } = await verifyLedger(pool)
  expect(describeFaults(faults)).toEqual([])
  expect(transactions).toBeGreaterThan(USERS)
  expect(refusals).toBeGreaterThan(0)

  const [owner = 0] = users
  await seedHistory(pool, { users: [owner], rows: [500] })
  const path = await findPage(api.url, signAccessToken(jwtSecret, owner), { page: 20, pageRows: 20 })
  expect(path).toMatch(/^\/api\/v1\/transactions\?limit=20&cursor=./)
})
