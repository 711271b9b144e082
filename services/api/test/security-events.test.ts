import { randomBytes, randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Db } from '@streamledger/db'
import { sql } from 'kysely'
import { type Api, describe, expect, makePerson, test } from './api.ts'
import type { Client } from './client.ts'
import { insertFinishedExport } from './insert-finished-export.ts'

const AGENT = 'a test/1.0 (of security events)'
const UUID = expect.stringMatching(/^[0-9a-f-]{36}$/)

/** Sends requests with a User-Agent. */
const callAs = (client: Client, path: string, body: object, headers: Record<string, string> = {}) =>
  client.call('POST', path, { body, headers: { 'user-agent': AGENT, ...headers } })

const eventsOf = (db: Db, user_id: number) =>
  db.selectFrom('security_events').selectAll().where('user_id', '=', user_id).orderBy('id').execute()

const kindsOf = async (db: Db, user_id: number) => (await eventsOf(db, user_id)).map(({ kind }) => kind)

/** A finished export with its file, as the exporter leaves it. */
async function makeExport(api: Api, db: Db, client: Client): Promise<string> {
  const file = `${randomUUID()}.xlsx`
  await writeFile(join(api.exportFolder, file), randomBytes(1_000))
  const { wallet_id } = client.account.wallet
  return insertFinishedExport(db, { wallet_id, file, sha256: 'ab', size: 1_000 })
}

describe('what happens to an account is written down', () => {
  test('when somebody signs up, logs in, refreshes and logs out: who, from where, with what', async ({
    api: { anonymous },
    database: { db },
  }) => {
    const { email, password } = makePerson()
    const signedUp = await callAs(anonymous, '/auth/signup', makePerson({ email, password }))
    const { user_id } = signedUp.json.user
    const loggedIn = await callAs(anonymous, '/auth/login', { email, password })
    const refreshed = await callAs(anonymous, '/auth/refresh', { refresh_token: loggedIn.json.refresh_token.token })
    const { token } = refreshed.json.refresh_token
    const loggedOut = await callAs(anonymous, '/auth/logout', { refresh_token: token })

    const events = await eventsOf(db, user_id)
    const answers = [signedUp, loggedIn, refreshed, loggedOut]
    expect(events).toEqual(
      ['signed_up', 'logged_in', 'refreshed', 'logged_out'].map((kind, index) => ({
        ...{ id: expect.any(Number), created_at: expect.any(Date), user_id, kind, subject: UUID },
        ...{ address: '127.0.0.1', user_agent: AGENT },
        request_id: answers[index]?.headers.get('x-request-id'),
      })),
    )
    // The last three belong to one session; sign-up has another.
    expect(new Set(events.slice(1).map(({ subject }) => subject)).size).toBe(1)
    expect(events[0]?.subject).not.toBe(events[1]?.subject)

    // A repeated log-out is no event, and an unknown token belongs to no user.
    await callAs(anonymous, '/auth/logout', { refresh_token: token })
    await callAs(anonymous, '/auth/logout', { refresh_token: 'never seen' })
    expect(await eventsOf(db, user_id)).toEqual(events)
  })

  test('when a log-in fails, of a known account and of none', async ({ api, database: { db } }) => {
    const { account } = await api.signUp()
    const { user_id, email } = account.user
    const known = await callAs(api.anonymous, '/auth/login', { email, password: 'not this one' })
    const unknown = await callAs(api.anonymous, '/auth/login', { email: 'nobody@example.com', password: 'not this' })
    expect([known.status, unknown.status]).toEqual([401, 401])
    for (const [answer, id] of [
      [known, user_id],
      [unknown, null],
    ] as const) {
      const request_id = answer.headers.get('x-request-id') as string
      const event = await db.selectFrom('security_events').selectAll().where('request_id', '=', request_id).execute()
      expect(event).toMatchObject([
        { kind: 'log_in_failed', user_id: id, subject: null, address: '127.0.0.1', user_agent: AGENT },
      ])
    }
  })

  test('when a used refresh token comes again, and when one of that family does after', async ({
    api,
    database: { db },
  }) => {
    const { account } = await api.signUp()
    const refresh = (refresh_token: string) => callAs(api.anonymous, '/auth/refresh', { refresh_token })
    const first = account.refresh_token.token
    const { json: second } = await refresh(first)
    await sql`update refresh_tokens set used_at = used_at - interval '1 minute' where used_at is not null`.execute(db)
    expect((await refresh(first)).status).toBe(401)
    expect((await refresh(second.refresh_token.token)).status).toBe(401)
    expect(await kindsOf(db, account.user.user_id)).toEqual([
      ...['signed_up', 'refreshed', 'refresh_reused', 'refresh_refused'],
    ])
  })

  test('when an export is downloaded, in part too, and not when it is only looked at', async ({
    api,
    database: { db },
  }) => {
    const client = await api.signUp()
    const id = await makeExport(api, db, client)
    const path = `/transactions/exports/${id}/file`
    const download = (headers: Record<string, string> = {}) => client.get(path, { headers })
    expect((await download()).status).toBe(200)
    expect((await download({ range: 'bytes=0-9' })).status).toBe(206)
    expect((await client.call('HEAD', path)).status).toBe(200)
    expect((await download({ 'if-none-match': '"ab"' })).status).toBe(304)
    expect((await download({ range: 'bytes=5000-' })).status).toBe(416)

    const [, ...downloads] = await eventsOf(db, client.account.user.user_id)
    expect(downloads).toMatchObject(Array(2).fill({ kind: 'export_downloaded', subject: id }))
  })

  test('with no more of what the client says of itself than there is room for', async ({ api, database: { db } }) => {
    const person = makePerson()
    const headers = { 'user-agent': `é${'x'.repeat(5_000)}` }
    const { status, json } = await callAs(api.anonymous, '/auth/signup', person, headers)
    expect(status).toBe(201)
    const [event] = await eventsOf(db, json.user.user_id)
    expect(event?.user_agent).toBe(`é${'x'.repeat(199)}`)
  })

  test('without a password, a token or an address of mail', async ({ api, database: { db } }) => {
    const person = makePerson()
    const { json } = await callAs(api.anonymous, '/auth/signup', person)
    await callAs(api.anonymous, '/auth/login', { email: person.email, password: 'another pass phrase' })
    await callAs(api.anonymous, '/auth/refresh', { refresh_token: json.refresh_token.token })
    const { rows } = await sql<{ row: string }>`select e::text as row from security_events e`.execute(db)
    expect(rows.length).toBeGreaterThanOrEqual(3)
    const text = rows.map(({ row }) => row).join('\n')
    for (const secret of [
      ...[person.email, person.password, 'another pass phrase', person.first_name],
      ...[json.access_token.token, json.refresh_token.token],
    ]) {
      expect(text).not.toContain(secret)
    }
  })
})

describe('what cannot be written down has not happened', () => {
  const broken = test.extend('broken', async ({ api, database: { db } }, { onCleanup }) => {
    const client = await api.signUp()
    const export_id = await makeExport(api, db, client)
    await sql`alter table security_events add constraint full_disk check (false) not valid`.execute(db)
    onCleanup(async () => void (await sql`alter table security_events drop constraint full_disk`.execute(db)))
    return { api, client, export_id }
  })

  broken('nobody is signed up, logged in, refreshed, or given a file', async ({ broken, database: { db } }) => {
    const { api, client, export_id } = broken
    const { email } = client.account.user
    const refresh_token = client.account.refresh_token.token
    const person = makePerson()
    const answers = await Promise.all([
      callAs(api.anonymous, '/auth/signup', person),
      callAs(api.anonymous, '/auth/login', { email, password: 'a long pass phrase' }),
      callAs(api.anonymous, '/auth/login', { email, password: 'not this one' }),
      callAs(api.anonymous, '/auth/refresh', { refresh_token }),
      callAs(api.anonymous, '/auth/logout', { refresh_token }),
      client.get(`/transactions/exports/${export_id}/file`),
    ])
    expect(answers.map(({ status }) => status)).toEqual(Array(answers.length).fill(500))
    const sessions = await db
      .selectFrom('sessions')
      .selectAll()
      .where('user_id', '=', client.account.user.user_id)
      .execute()
    expect(sessions).toMatchObject([{ revoked_at: null }])
    const tokens = await db
      .selectFrom('refresh_tokens')
      .selectAll()
      .where('session_id', '=', sessions[0]?.id ?? '')
      .execute()
    expect(tokens).toMatchObject([{ used_at: null }])
    expect(await db.selectFrom('users').select('id').where('email', '=', person.email).execute()).toEqual([])
  })
})
