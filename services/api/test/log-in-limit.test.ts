import { randomInt, randomUUID } from 'node:crypto'
import type { Db } from '@streamledger/db'
import { describe, expect, makePerson, SECRET, startApi, test, waitFor } from './api.ts'
import { spawnApis } from './api-processes.ts'
import { type Answer, type Client, createClient } from './client.ts'

const PAIR_FREE = 10
const ACCOUNT_MAX = 50
const ADDRESS_MAX = 100
const LIMITS = {
  TRUST_PROXY: 'loopback',
  LOG_IN_FREE_MAX: String(PAIR_FREE),
  LOG_IN_ACCOUNT_FAILURES_MAX: String(ACCOUNT_MAX),
  LOG_IN_ADDRESS_FAILURES_MAX: String(ADDRESS_MAX),
}
const RIGHT = 'a long pass phrase'
const WRONG = 'not this one'

interface Place {
  address: string
  /** Signs up a user from this network, which is then known for the user's account. */
  signUp(): Promise<string>
  tryLogIn(email: string, password?: string): Promise<Answer>
}

/** Asks each of the replicas in turn. */
function createPlace(replicas: readonly Client[], address: string): Place {
  const headers = { 'x-forwarded-for': address }
  let turn = 0
  const ask = (path: string, body: object) => {
    turn += 1
    return (replicas[turn % replicas.length] as Client).call('POST', path, { headers, body })
  }
  return {
    address,
    signUp: async () => {
      const person = makePerson({ password: RIGHT })
      expect((await ask('/auth/signup', person)).status).toBe(201)
      return person.email
    },
    tryLogIn: (email, password = WRONG) => ask('/auth/login', { email, password }),
  }
}

/** Two replicas on one database. */
const limited = test
  .extend('replicas', { scope: 'file' }, async ({ database }, { onCleanup }) => {
    const apis = await Promise.all([1, 2].map(() => startApi(database.url, LIMITS)))
    onCleanup(async () => void (await Promise.all(apis.map((api) => api.stop()))))
    return apis.map(({ anonymous }) => anonymous)
  })
  .extend(
    'makePlace',
    async ({ replicas }) =>
      (address = newAddress()) =>
        createPlace(replicas, address),
  )

let places = 0

/** An address that is not used yet, from 198.18.0.0/15, which is reserved for tests. */
function newAddress(): string {
  places += 1
  return `198.18.${places >> 8}.${places & 0xff}`
}

const nobody = () => `${randomUUID()}@example.com`

function expectLimited({ status, json, headers }: Answer, waitS: { min: number; max: number }): void {
  expect(status).toBe(429)
  expect(json).toMatchObject({ code: 'log_in_limited', status: 429 })
  const retryAfter = Number(headers.get('retry-after'))
  expect(retryAfter).toBeGreaterThanOrEqual(waitS.min)
  expect(retryAfter).toBeLessThanOrEqual(waitS.max)
}

async function statusesOf(count: number, attempt: () => Promise<Answer>): Promise<number[]> {
  const statuses: number[] = []
  while (statuses.length < count) statuses.push((await attempt()).status)
  return statuses
}

const pairAt = (db: Db, { address }: Place) =>
  db.selectFrom('log_in_counts').selectAll().where('network', '=', address).where('account', 'is not', null)

/** Writes counts as if this many tries had failed before. */
async function setFailures(db: Db, place: Place, failures: number): Promise<void> {
  await db
    .updateTable('log_in_counts')
    .set({ failures, waits_until: null })
    .where('network', '=', place.address)
    .where('account', 'is not', null)
    .execute()
}

/** Writes counts as if the account had been tried from many networks. */
async function attackAccount(db: Db, place: Place): Promise<void> {
  const { account } = await pairAt(db, place).executeTakeFirstOrThrow()
  const { numUpdatedRows } = await db
    .updateTable('log_in_counts')
    .set({ failures: ACCOUNT_MAX })
    .where('account', '=', account)
    .where('network', 'is', null)
    .executeTakeFirstOrThrow()
  expect(numUpdatedRows).toBe(1n)
}

describe('wrong passwords for one account from one address', () => {
  limited(
    'are free ten times and then wait, on any replica, for a known account as for none',
    async ({ makePlace }) => {
      const signedUp = await makePlace().signUp()
      for (const email of [signedUp, nobody()]) {
        const place = makePlace()
        const spellings = [email, email.toUpperCase()]
        const startedAt = performance.now()
        const answers: Answer[] = []
        do answers.push(await place.tryLogIn(spellings[answers.length % 2] as string))
        while (answers.at(-1)?.status === 401)
        // More tries are possible only after waits of 1 s, 2 s and so on: none, unless this machine stalls.
        const waited = Math.log2((performance.now() - startedAt) / 1_000 + 1)
        expect(answers.length - 1).toBeGreaterThanOrEqual(PAIR_FREE)
        expect(answers.length - 1).toBeLessThanOrEqual(PAIR_FREE + waited)
        expectLimited(answers.at(-1) as Answer, { min: 1, max: 2 ** Math.floor(waited) })
      }
    },
  )

  limited(
    'wait twice as long each time, up to a quarter of an hour, the right one too',
    async ({ makePlace, database: { db } }) => {
      const [home, place] = [makePlace(), makePlace()]
      const email = await home.signUp()
      await place.tryLogIn(email)
      for (const [failures, waitS] of [
        [PAIR_FREE + 4, 32],
        [PAIR_FREE + 5, 64],
        [PAIR_FREE + 60, 900],
      ] as const) {
        await setFailures(db, place, failures)
        expect((await place.tryLogIn(email)).status).toBe(401)
        expectLimited(await place.tryLogIn(email, RIGHT), { min: waitS - 20, max: waitS })
      }
      expect((await home.tryLogIn(email, RIGHT)).status).toBe(200)
    },
  )

  limited('have their turn again when they have waited', async ({ makePlace, database: { db } }) => {
    const place = makePlace()
    const email = nobody()
    await place.tryLogIn(email)
    await setFailures(db, place, PAIR_FREE)
    expect((await place.tryLogIn(email)).status).toBe(401)
    await waitFor(async () => (await place.tryLogIn(email)).status === 401)
  })

  limited('are not counted while they are refused, and told of once', async ({ makePlace, database: { db } }) => {
    const email = await makePlace().signUp()
    const place = makePlace()
    await place.tryLogIn(email)
    await setFailures(db, place, PAIR_FREE + 20)
    expect((await place.tryLogIn(email)).status).toBe(401)
    const counted = await pairAt(db, place).execute()
    expect(counted).toMatchObject([{ failures: PAIR_FREE + 21 }])
    expect(await statusesOf(5, () => place.tryLogIn(email))).toEqual(Array(5).fill(429))
    expect(await pairAt(db, place).execute()).toEqual(counted)
    const events = db.selectFrom('security_events').select(['kind', 'user_id']).where('address', '=', place.address)
    expect(await events.orderBy('id').execute()).toEqual(
      ['log_in_failed', 'log_in_failed', 'log_in_limited'].map((kind) => ({ kind, user_id: expect.any(Number) })),
    )
  })

  limited('are forgiven when the right one comes', async ({ makePlace }) => {
    const email = await makePlace().signUp()
    const place = makePlace()
    for (let round = 0; round < 2; round += 1) {
      const statuses = await statusesOf(PAIR_FREE - 1, () => place.tryLogIn(email))
      expect(statuses).toEqual(Array(PAIR_FREE - 1).fill(401))
      expect((await place.tryLogIn(email, RIGHT)).status).toBe(200)
    }
  })

  limited('are forgotten after a day', async ({ makePlace, database: { db } }) => {
    const place = makePlace()
    const email = nobody()
    await place.tryLogIn(email)
    await setFailures(db, place, PAIR_FREE + 20)
    await db
      .updateTable('log_in_counts')
      .set({ counts_until: new Date() })
      .where('network', '=', place.address)
      .execute()
    expect(await statusesOf(2, () => place.tryLogIn(email))).toEqual([401, 401])
    expect(await pairAt(db, place).execute()).toMatchObject([{ failures: 2 }])
  })

  limited('of a whole IPv6 site count as one', async ({ makePlace }) => {
    const email = nobody()
    const site = `2001:db8:${randomInt(0xffff).toString(16)}`
    for (let tries = 0; tries < PAIR_FREE; tries += 1) {
      expect((await makePlace(`${site}:${tries}::1`).tryLogIn(email)).status).toBe(401)
    }
    const { status } = await makePlace(`${site}:ffff::1`).tryLogIn(email)
    expect(status).toBe(429)
  })
})

describe('an account that is tried from many addresses', () => {
  limited(
    'gives each two tries and then a quarter of an hour to wait, for a known account as for none',
    async ({ makePlace }) => {
      const home = makePlace()
      const signedUp = await home.signUp()
      for (const email of [signedUp, nobody()]) {
        for (let tries = 0; tries < ACCOUNT_MAX; tries += PAIR_FREE - 1) {
          const place = makePlace()
          await statusesOf(PAIR_FREE - 1, () => place.tryLogIn(email))
        }
        const next = makePlace()
        expect(await statusesOf(2, () => next.tryLogIn(email))).toEqual([401, 401])
        expectLimited(await next.tryLogIn(email), { min: 840, max: 900 })
      }
    },
  )

  limited(
    'lets its owner in where they have been, and at once where they have not',
    async ({ makePlace, database: { db } }) => {
      const [home, stranger] = [makePlace(), makePlace()]
      const email = await home.signUp()
      await stranger.tryLogIn(email)
      await attackAccount(db, stranger)
      const statuses = await statusesOf(PAIR_FREE - 1, () => home.tryLogIn(email))
      expect(statuses).toEqual(Array(PAIR_FREE - 1).fill(401))
      expect((await home.tryLogIn(email, RIGHT)).status).toBe(200)
      const elsewhere = makePlace()
      expect((await elsewhere.tryLogIn(email, RIGHT)).status).toBe(200)
      // The network is known for the account from now on.
      expect(await statusesOf(4, () => elsewhere.tryLogIn(email))).toEqual(Array(4).fill(401))
    },
  )

  test('of many tries at once, on two processes, takes no more than two', async ({ database, spawnService }) => {
    const processes = await spawnApis(spawnService, database.url, { count: 2, env: LIMITS })
    const clients = processes.map(({ url }) => createClient(url))
    const email = nobody()
    const first = createPlace(clients, newAddress())
    await first.tryLogIn(email)
    await attackAccount(database.db, first)
    const place = createPlace(clients, newAddress())
    const answers = await Promise.all(Array.from({ length: 30 }, () => place.tryLogIn(email)))
    const statuses = answers.map(({ status }) => status).sort()
    expect(statuses).toEqual([401, 401, ...Array(28).fill(429)])
  })
})

describe('an address that tries many accounts', () => {
  limited(
    'has no more tries for an hour, but for those who have logged in from there',
    async ({ makePlace, database: { db } }) => {
      const place = makePlace()
      const [known, other] = [await place.signUp(), await makePlace().signUp()]
      for (let tries = 0; tries < ADDRESS_MAX; tries += 10) {
        expect(new Set(await statusesOf(10, () => place.tryLogIn(nobody())))).toEqual(new Set([401]))
      }
      expectLimited(await place.tryLogIn(nobody()), { min: 3_000, max: 3_600 })
      expectLimited(await place.tryLogIn(other, RIGHT), { min: 3_000, max: 3_600 })
      expect((await place.tryLogIn(known)).status).toBe(401)
      expect((await place.tryLogIn(known, RIGHT)).status).toBe(200)
      expect((await makePlace().tryLogIn(other, RIGHT)).status).toBe(200)
      const limits = db
        .selectFrom('security_events')
        .where('address', '=', place.address)
        .where('kind', '=', 'log_in_limited')
      expect(await limits.selectAll().execute()).toHaveLength(1)

      await db
        .updateTable('log_in_counts')
        .set({ counts_until: new Date() })
        .where('network', '=', place.address)
        .where('account', 'is', null)
        .execute()
      expect((await place.tryLogIn(other, RIGHT)).status).toBe(200)
    },
  )
})

describe('the counts', () => {
  limited('name no address of mail', async ({ makePlace, database: { pool } }) => {
    const email = nobody()
    await makePlace().tryLogIn(email)
    const { rows } = await pool.query(
      `select c::text, account = sha256(convert_to($1, 'UTF8')) as guessed from log_in_counts c`,
      [email],
    )
    expect(rows.length).toBeGreaterThanOrEqual(3)
    expect(rows.filter(({ guessed }) => guessed)).toEqual([])
    expect(JSON.stringify(rows)).not.toContain(email)
  })

  limited('that are over are removed as others are made', async ({ makePlace, database: { pool } }) => {
    await pool.query(`
      insert into log_in_counts (account, failures, counts_until)
      select sha256(n::text::bytea), 1, now() - interval '1 s' from generate_series(1, 50) n`)
    const email = await makePlace().signUp()
    const overdue = async () => {
      const { rows } = await pool.query(
        'select count(*)::integer as count from log_in_counts where expires_at <= now()',
      )
      return rows[0].count
    }
    const before = await overdue()
    const place = makePlace()
    for (const password of [WRONG, RIGHT, WRONG]) await place.tryLogIn(email, password)
    expect(before).toBeGreaterThanOrEqual(30)
    expect(await overdue()).toBe(0)
  })

  test('are the same while one secret follows another', async ({ database }) => {
    const env = { ...LIMITS, LOG_IN_FREE_MAX: '1' }
    const before = await startApi(database.url, env)
    const after = await startApi(database.url, {
      ...env,
      JWT_SECRET: 'the secret that follows, 32 bytes at least',
      JWT_SECRET_PREVIOUS: SECRET,
    })
    try {
      const call = { headers: { 'x-forwarded-for': newAddress() }, body: { email: nobody(), password: WRONG } }
      expect((await before.anonymous.call('POST', '/auth/login', call)).status).toBe(401)
      expectLimited(await after.anonymous.call('POST', '/auth/login', call), { min: 1, max: 1 })
    } finally {
      await Promise.all([before.stop(), after.stop()])
    }
  })
})

test('0 in place of a limit is none', async ({ database }) => {
  const off = { LOG_IN_FREE_MAX: '0', LOG_IN_ACCOUNT_FAILURES_MAX: '0', LOG_IN_ADDRESS_FAILURES_MAX: '0' }
  const api = await startApi(database.url, off)
  try {
    const body = { email: nobody(), password: WRONG }
    const statuses = await statusesOf(PAIR_FREE + 5, () => api.anonymous.call('POST', '/auth/login', { body }))
    expect(new Set(statuses)).toEqual(new Set([401]))
  } finally {
    await api.stop()
  }
})
