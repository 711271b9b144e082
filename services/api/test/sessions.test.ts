import type { Db } from '@streamledger/db'
import { sql } from 'kysely'
import { type Api, describe, expect, startApi, test } from './api.ts'
import type { Client } from './client.ts'
import { createClient } from './client.ts'

const refresh = (client: Client, refresh_token: string) =>
  client.call('POST', '/auth/refresh', { body: { refresh_token } })
const logOut = (client: Client, refresh_token: string) =>
  client.call('POST', '/auth/logout', { body: { refresh_token } })

async function signUpToken(api: Api): Promise<string> {
  return (await api.signUp()).account.refresh_token.token
}

describe('refresh', () => {
  test('exchanges a token for the next pair, and the new pair works', async ({ api }) => {
    const { status, json } = await refresh(api.anonymous, await signUpToken(api))
    expect(status).toBe(200)
    expect(Object.keys(json)).toEqual(['access_token', 'refresh_token'])
    expect((await createClient(api.url, json).get('/wallet')).status).toBe(200)
    expect((await refresh(api.anonymous, json.refresh_token.token)).status).toBe(200)
  })

  test('takes a used token within the grace for a lost answer', async ({ api }) => {
    const first = await signUpToken(api)
    const lost = await refresh(api.anonymous, first)
    const again = await refresh(api.anonymous, first)
    expect(again.status).toBe(200)
    expect(again.json.refresh_token.token).not.toBe(lost.json.refresh_token.token)
    expect((await refresh(api.anonymous, again.json.refresh_token.token)).status).toBe(200)
  })

  test.for(['the one who came first', 'the one who came second'] as const)(
    'within the grace leaves two holders of a token one branch: when %s goes on, the other ends the log-in',
    async (ahead, { api, database }) => {
      const first = await signUpToken(api)
      const branches = [await refresh(api.anonymous, first), await refresh(api.anonymous, first)]
      const [goesOn, other] = ahead === 'the one who came first' ? branches : branches.toReversed()
      const next = await refresh(api.anonymous, goesOn?.json.refresh_token.token)
      expect(next.status).toBe(200)

      expect((await refresh(api.anonymous, other?.json.refresh_token.token)).status).toBe(401)
      expect((await refresh(api.anonymous, next.json.refresh_token.token)).status).toBe(401)
      const { rows } = await database.pool.query(`
        select from security_events
         where kind = 'refresh_reused'
           and subject = (select id from sessions where revoked_at is not null order by created_at desc limit 1)`)
      expect(rows).toHaveLength(1)
    },
  )

  test('takes a used token no more, also within the grace, once a token after it was used', async ({ api }) => {
    const first = await signUpToken(api)
    const second = await refresh(api.anonymous, first)
    const third = await refresh(api.anonymous, second.json.refresh_token.token)
    expect(third.status).toBe(200)
    expect((await refresh(api.anonymous, first)).status).toBe(401)
    expect((await refresh(api.anonymous, third.json.refresh_token.token)).status).toBe(401)
  })

  test('gets over any number of lost answers in a row', async ({ api }) => {
    let token = await signUpToken(api)
    for (let exchange = 0; exchange < 5; exchange += 1) {
      for (let lost = 0; lost < 3; lost += 1) expect((await refresh(api.anonymous, token)).status).toBe(200)
      token = (await refresh(api.anonymous, token)).json.refresh_token.token
    }
    expect((await refresh(api.anonymous, token)).status).toBe(200)
  })

  test('of both branches of a log-in at the same moment lets one go on, and ends with the other', async ({ api }) => {
    for (let round = 0; round < 10; round += 1) {
      const first = await signUpToken(api)
      const tokens = [await refresh(api.anonymous, first), await refresh(api.anonymous, first)].map(
        ({ json }) => json.refresh_token.token,
      )
      const answers = await Promise.all(tokens.map((token) => refresh(api.anonymous, token)))
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 401])
      const on = answers.find(({ status }) => status === 200)
      expect((await refresh(api.anonymous, on?.json.refresh_token.token)).status).toBe(401)
    }
  })

  test('ends the whole family when a used token comes after the grace, and no other family', async ({
    api,
    database,
  }) => {
    const first = await signUpToken(api)
    const stranger = await signUpToken(api)
    const { json: second } = await refresh(api.anonymous, first)
    await sql`update refresh_tokens set used_at = used_at - interval '1 minute' where used_at is not null`.execute(
      database.db,
    )

    const reused = await refresh(api.anonymous, first)
    expect(reused).toMatchObject({ status: 401, json: { code: 'refresh_token_invalid' } })
    expect((await refresh(api.anonymous, second.refresh_token.token)).status).toBe(401)
    expect((await refresh(api.anonymous, stranger)).status).toBe(200)
  })

  test('shown from two places at once gives each a token within the grace, and ends without one', async ({
    api,
    database,
  }) => {
    const strict = await startApi(database.url, { REFRESH_GRACE_MS: '0' })
    try {
      // Many times without a grace period: Postgres decides which transaction begins first and which locks first.
      const tries = [[api, [200, 200]] as const, ...Array.from({ length: 40 }, () => [strict, [200, 401]] as const)]
      for (const [server, statuses] of tries) {
        const token = await signUpToken(api)
        const answers = await Promise.all([refresh(server.anonymous, token), refresh(server.anonymous, token)])
        expect(answers.map(({ status }) => status).sort()).toEqual(statuses)
      }
    } finally {
      await strict.stop()
    }
  })

  test('without a grace, has none either for a token whose use was rounded to a later moment', async ({
    api,
    database,
  }) => {
    const strict = await startApi(database.url, { REFRESH_GRACE_MS: '0' })
    try {
      const token = await signUpToken(api)
      expect((await refresh(strict.anonymous, token)).status).toBe(200)
      await sql`update refresh_tokens set used_at = clock_timestamp() + interval '1 minute' where used_at is not null`.execute(
        database.db,
      )
      expect((await refresh(strict.anonymous, token)).status).toBe(401)
    } finally {
      await strict.stop()
    }
  })

  test('refuses what is expired, made up, or an access token', async ({ api, database }) => {
    const { account } = await api.signUp()
    expect((await refresh(api.anonymous, account.access_token.token)).status).toBe(401)
    expect((await refresh(api.anonymous, 'A'.repeat(43))).status).toBe(401)
    await sql`update refresh_tokens set expires_at = now()`.execute(database.db)
    expect((await refresh(api.anonymous, account.refresh_token.token)).status).toBe(401)
  })
})

describe('a session', () => {
  const DAY_MS = 86_400_000
  const ageAll = (db: Db, days: number) =>
    sql`update sessions set created_at = created_at - ${days}::int * interval '1 day'`.execute(db)
  const daysUntil = (expires_at: string) => (Date.parse(expires_at) - Date.now()) / DAY_MS

  test('ends ninety days after its log-in, however often it is refreshed, and its tokens say so', async ({
    api,
    database: { db },
  }) => {
    const { account } = await api.signUp()
    expect(daysUntil(account.refresh_token.expires_at)).toBeCloseTo(30, 1)
    await ageAll(db, 80)
    const { json: late } = await refresh(api.anonymous, account.refresh_token.token)
    expect(daysUntil(late.refresh_token.expires_at)).toBeCloseTo(10, 1)
    const { json: later } = await refresh(api.anonymous, late.refresh_token.token)
    expect(daysUntil(later.refresh_token.expires_at)).toBeCloseTo(10, 1)

    // As after SESSION_TTL_S was reduced: the token that was issued before expires later than its session.
    await ageAll(db, 11)
    const ended = await refresh(api.anonymous, later.refresh_token.token)
    expect(ended).toMatchObject({ status: 401, json: { code: 'refresh_token_invalid' } })
  })
})

describe('log-out', () => {
  test('ends the family, and may be repeated', async ({ api }) => {
    const first = await signUpToken(api)
    const { json } = await refresh(api.anonymous, first)
    for (let time = 0; time < 2; time += 1) {
      const answer = await logOut(api.anonymous, first)
      expect(answer).toMatchObject({ status: 204, text: '' })
    }
    expect((await refresh(api.anonymous, json.refresh_token.token)).status).toBe(401)
    expect((await logOut(api.anonymous, 'never seen')).status).toBe(204)
  })
})

test('a log-in sweeps out the families of its user that have expired, and leaves the living', async ({
  api,
  database,
}) => {
  const person = { email: `${crypto.randomUUID()}@example.com`, password: 'a long pass phrase' }
  const { account } = await api.signUp(person)
  const sessions = () =>
    database.db.selectFrom('sessions').select('id').where('user_id', '=', account.user.user_id).execute()
  const logIn = () => api.anonymous.call('POST', '/auth/login', { body: person })
  await logIn()
  expect(await sessions()).toHaveLength(2)
  await sql`
    update refresh_tokens set expires_at = now()
     where session_id in (select id from sessions where user_id = ${account.user.user_id})`.execute(database.db)
  const { json } = await logIn()
  expect(await sessions()).toHaveLength(1)
  expect((await refresh(api.anonymous, json.refresh_token.token)).status).toBe(200)
})
