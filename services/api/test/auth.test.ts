import { createHash } from 'node:crypto'
import { MEMORY_KIB } from '../src/accounts/passwords.ts'
import { test as base, describe, expect, makePerson, startApi } from './api.ts'
import { claimTopic } from './claim-topic.ts'
import { createClient } from './client.ts'

/** With hashes as the product makes them. */
const test = base.extend('api', { scope: 'file' }, async ({ database }, { onCleanup }) => {
  await claimTopic(database.pool)
  const api = await startApi(database.url, {}, { memoryKib: MEMORY_KIB })
  onCleanup(() => api.stop())
  return api
})

const ISO = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)

describe('sign-up', () => {
  test('makes a user with an empty wallet and logs them in', async ({ api }) => {
    const person = makePerson()
    const { status, json, headers } = await api.anonymous.call('POST', '/auth/signup', { body: person })
    expect(status).toBe(201)
    expect(json).toEqual({
      user: {
        ...{ user_id: expect.any(Number), first_name: 'Ada', last_name: 'Obi', email: person.email, created_at: ISO },
      },
      wallet: {
        ...{
          wallet_id: expect.any(Number),
          balance: 0,
          currency: 'NGN',
          sequence: 0,
          created_at: ISO,
          updated_at: ISO,
        },
      },
      access_token: { token: expect.any(String), expires_at: ISO },
      refresh_token: { token: expect.any(String), expires_at: ISO },
    })
    expect(headers.get('cache-control')).toBe('no-store')

    const wallet = await createClient(api.url, json).get('/wallet')
    expect(wallet.json).toEqual({ user: json.user, wallet: json.wallet })
  })

  test('keeps neither the password nor a token that could be used', async ({ api, database }) => {
    const person = makePerson({ password: 'correct horse battery staple' })
    const { account } = await api.signUp(person)
    const user = await database.db
      .selectFrom('users')
      .select('password')
      .where('email', '=', person.email)
      .executeTakeFirstOrThrow()
    expect(user.password).toMatch(/^\$argon2id\$v=19\$m=19456,(p=1,t=2|t=2,p=1)\$/)
    const hash = createHash('sha256').update(account.refresh_token.token).digest()
    const tokens = await database.db
      .selectFrom('refresh_tokens as t')
      .innerJoin('sessions as s', 's.id', 't.session_id')
      .selectAll('t')
      .where('s.user_id', '=', account.user.user_id)
      .execute()
    expect(tokens.map((token) => token.hash)).toEqual([hash])
    expect(JSON.stringify(tokens)).not.toContain(account.refresh_token.token)
  })

  test('refuses an address that has an account, also in other letters, and makes no second wallet', async ({
    api,
    database,
  }) => {
    const person = makePerson()
    await api.signUp(person)
    const wallets = await countWallets()
    for (const email of [person.email, person.email.toUpperCase()]) {
      const answer = await api.anonymous.call('POST', '/auth/signup', { body: { ...person, email } })
      expect(answer).toMatchObject({ status: 409, json: { code: 'email_taken', status: 409 } })
      expect(answer.text).not.toContain(person.email)
    }
    expect(await countWallets()).toBe(wallets)

    async function countWallets() {
      const { count } = await database.db
        .selectFrom('wallets')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
      return count
    }
  })

  test('of many at once with one address, exactly one has the account', async ({ api, database }) => {
    const person = makePerson()
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => api.anonymous.call('POST', '/auth/signup', { body: person })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409])
    const users = await database.db.selectFrom('users').select('id').where('email', '=', person.email).execute()
    expect(users).toHaveLength(1)
  })

  test.for([
    ['a password of 7 characters', { password: 'seven 7' }, '/password'],
    ['a password of 129 characters', { password: 'x'.repeat(129) }, '/password'],
    ['half of a surrogate pair in a password', { password: 'long enough \ud83d' }, '/password'],
    ['a password that everybody tries', { password: 'Password123' }, '/password'],
    ['no mail address', { email: 'ada.example.com' }, '/email'],
    ['a mail address of 255 characters', { email: `${'a'.repeat(243)}@example.com` }, '/email'],
    ['a name of white space', { first_name: ' \u00a0 ' }, '/first_name'],
    ['a control character in a name', { last_name: 'O\u0000bi' }, '/last_name'],
    ['a name of 101 characters', { last_name: 'x'.repeat(101) }, '/last_name'],
    ['a number for a name', { last_name: 7 as unknown as string }, '/last_name'],
    ['a field that is not known', { is_admin: true } as object, '/is_admin'],
  ] as const)('refuses %s', async ([, change, pointer], { api }) => {
    const answer = await api.anonymous.call('POST', '/auth/signup', { body: { ...makePerson(), ...change } })
    expect(answer.status).toBe(400)
    expect(answer.json.errors).toContainEqual({ in: 'body', pointer, reason: expect.any(String) })
  })

  test('takes passwords of 8 and of 128 characters, whatever they are', async ({ api }) => {
    for (const password of ['\u0000 bytes 8', '🔐'.repeat(128), 'pässwörter']) {
      const person = makePerson({ password })
      await api.signUp(person)
      const { email } = person
      expect(await api.anonymous.call('POST', '/auth/login', { body: { email, password } })).toMatchObject({
        status: 200,
      })
    }
  })
})

describe('log-in', () => {
  test('answers as sign-up does, whatever the letters of the address', async ({ api }) => {
    const { email, password } = makePerson()
    const { account } = await api.signUp({ email, password })
    const body = { email: email.toUpperCase(), password }
    const { status, json } = await api.anonymous.call('POST', '/auth/login', { body })
    expect(status).toBe(200)
    expect(json).toMatchObject({ user: account.user, wallet: account.wallet })
    expect((await createClient(api.url, json).get('/wallet')).status).toBe(200)
  })

  test('answers an unknown address and a wrong password alike', async ({ api }) => {
    const { email } = makePerson()
    await api.signUp({ email })
    const [wrong, unknown] = await Promise.all(
      [email, 'nobody@example.com'].map((address) =>
        api.anonymous.call('POST', '/auth/login', { body: { email: address, password: 'not this one' } }),
      ),
    )
    const { request_id: _, ...shape } = wrong?.json ?? {}
    expect(wrong?.status).toBe(401)
    expect(wrong?.headers.get('www-authenticate')).toBe('Bearer realm="streamledger"')
    expect(shape.code).toBe('credentials_invalid')
    expect(unknown?.json).toMatchObject(shape)
    expect(unknown?.status).toBe(401)
  })

  test('hashes a password anew when its parameters are out of date', async ({ api, database }) => {
    const { email, password } = makePerson()
    await api.signUp({ email, password })
    const { hash } = await import('argon2')
    const weak = await hash(password, { memoryCost: 8_192, timeCost: 1, parallelism: 1 })
    await database.db.updateTable('users').set({ password: weak }).where('email', '=', email).execute()

    expect((await api.anonymous.call('POST', '/auth/login', { body: { email, password } })).status).toBe(200)
    const user = await database.db.selectFrom('users').select('password').where('email', '=', email).executeTakeFirst()
    expect(user?.password).toContain('m=19456')
    expect((await api.anonymous.call('POST', '/auth/login', { body: { email, password } })).status).toBe(200)
  })

  test('answers 503 when more wait for a hash than there is room for, and everybody else meanwhile', async ({
    api,
    database,
  }) => {
    const crowded = await startApi(
      database.url,
      {
        ...{ PASSWORD_HASHES_MAX: '1', PASSWORD_WAITING_MAX: '2' },
        DATABASE_CONNECT_TIMEOUT_MS: '20000', // so that only the queue of log-ins is full
      },
      { memoryKib: MEMORY_KIB },
    )
    try {
      const user = await api.signUp()
      const flood = Array.from({ length: 12 }, () =>
        crowded.anonymous.call('POST', '/auth/login', { body: { email: 'x@example.com', password: 'y' } }),
      )
      const wallet = await createClient(crowded.url, user.account).get('/wallet')
      const answers = await Promise.all(flood)
      expect(wallet.status).toBe(200)
      const busy = answers.filter(({ status }) => status === 503)
      expect(busy.length).toBeGreaterThanOrEqual(1)
      expect(answers.filter(({ status }) => status === 401).length).toBe(answers.length - busy.length)
      expect(busy[0]?.json.code).toBe('sign_in_busy')
      expect(Number(busy[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    } finally {
      await crowded.stop()
    }
  })
})
