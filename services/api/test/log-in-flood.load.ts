import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ServiceProcess } from '@streamledger/testkit'
import { expect, signUp, test } from './api.ts'
import { spawnApis } from './api-processes.ts'
import type { Answer, Client } from './client.ts'
import { insertFinishedExport } from './insert-finished-export.ts'

const LOG_INS = 500
/** As PASSWORD_HASHES_MAX and PASSWORD_WAITING_MAX are by default. */
const TAKEN_MIN = 2 + 100
const HASH_MIB = 19
/** The hashes that run at once, and the requests that wait. */
const GROWTH_MAX_MIB = 2 * HASH_MIB + 90
const LEFT_BEHIND_MAX_MIB = 40
/** Long enough for a busy machine, where 500 queries may wait for a connection for longer than a second, and hashes for longer than five. */
const PATIENT = { DATABASE_CONNECT_TIMEOUT_MS: '20000', QUEUE_TIMEOUT_MS: '60000' }

/** The most memory that the process has ever had. */
function memoryPeakMib({ pid }: ServiceProcess): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) / 1_024
}

/** Half of the log-ins are for an existing account. */
async function flood(client: Client): Promise<{ answers: Answer[]; tookMs: number }> {
  const { email } = client.account.user
  const startedAt = performance.now()
  const answers = await Promise.all(
    Array.from({ length: LOG_INS }, (_, index) => {
      const body = { email: index % 2 ? email : `${index}@example.com`, password: 'not this one' }
      return client.call('POST', '/auth/login', { body })
    }),
  )
  return { answers, tookMs: performance.now() - startedAt }
}

/** Sends one request after the other until the flood is over. Returns how long each answer took, in ms. */
async function ask(isOver: () => boolean, call: () => Promise<Answer>): Promise<number[]> {
  const tookMs: number[] = []
  while (!isOver()) {
    const startedAt = performance.now()
    const { status, json } = await call()
    expect(status, JSON.stringify(json)).toBe(200)
    tookMs.push(performance.now() - startedAt)
  }
  return tookMs
}

test('of 500 log-ins at once some are taken and the rest refused, and nobody else waits for them', async ({
  database,
  spawnService,
}) => {
  const EXPORT_DIR = await mkdtemp(join(tmpdir(), 'streamledger-flood-'))
  try {
    const [api] = (await spawnApis(spawnService, database.url, { env: { EXPORT_DIR, ...PATIENT } })) as [ServiceProcess]
    const client = await signUp(api.url)
    const export_id = await insertFinishedExport(database.db, {
      ...{ wallet_id: client.account.wallet.wallet_id, file: 'one.xlsx', sha256: 'ab', size: 1_000 },
    })
    await writeFile(join(EXPORT_DIR, 'one.xlsx'), randomBytes(1_000))
    const download = () => client.get(`/transactions/exports/${export_id}/file`)
    expect((await download()).status).toBe(200)

    const peaks = [memoryPeakMib(api)]
    while (peaks.length < 3) {
      let isOver = false
      const flooding = flood(client).finally(() => {
        isOver = true
      })
      // A file is read by the threads that passwords are hashed on, a wallet is not.
      const others = await Promise.all([
        ask(
          () => isOver,
          () => client.get('/wallet'),
        ),
        ask(() => isOver, download),
      ])
      const { answers, tookMs } = await flooding
      expectSplit(answers)
      for (const took of others) {
        expect(took.length).toBeGreaterThan(5)
        expect(Math.max(...took)).toBeLessThan(tookMs / 2)
      }
      peaks.push(memoryPeakMib(api))
    }
    const [before = 0, first = 0, second = 0] = peaks
    expect(first - before).toBeLessThan(GROWTH_MAX_MIB)
    expect(second - first).toBeLessThan(LEFT_BEHIND_MAX_MIB)
  } finally {
    await rm(EXPORT_DIR, { recursive: true })
  }
}, 240_000)

function expectSplit(answers: readonly Answer[]): void {
  const taken = answers.filter(({ status }) => status === 401)
  const refused = answers.filter(({ status }) => status === 503)
  expect(taken.length + refused.length).toBe(LOG_INS)
  expect(taken.length).toBeGreaterThanOrEqual(TAKEN_MIN)
  expect(refused.length).toBeGreaterThan(0)
  for (const { json, headers } of refused) {
    expect(json.code).toBe('sign_in_busy')
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
  }
}
