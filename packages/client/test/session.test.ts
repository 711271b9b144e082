import { expect, test } from 'vitest'
import { createLedgerClient } from '../src/index.ts'

const REFRESH = '/api/v1/auth/refresh'
const inTime = new Date(Date.now() + 3_600_000).toISOString()

const tokensOf = (name: string, expires_at = inTime) => ({
  access_token: { token: `access-${name}`, expires_at },
  refresh_token: { token: `refresh-${name}`, expires_at: inTime },
})

/** A client whose first request is held until the test answers it. Every other request is answered at once. */
function startClient({ tokens, held }: { tokens: ReturnType<typeof tokensOf>; held: string }) {
  const kept: unknown[] = []
  const sent: { path: string; token: string | null }[] = []
  const { promise: isHeld, resolve: hold } = Promise.withResolvers<void>()
  const { promise: answer, resolve } = Promise.withResolvers<Response>()
  const client = createLedgerClient({
    baseUrl: 'http://127.0.0.1:1',
    tokens,
    onTokens: (fresh) => kept.push(fresh),
    fetch: async (request) => {
      const path = new URL(request.url).pathname
      const isFirst = !sent.some((one) => one.path === path)
      sent.push({ path, token: request.headers.get('authorization') })
      if (path === held && isFirst) {
        hold()
        return answer
      }
      return path.endsWith('/logout') ? new Response(null, { status: 204 }) : Response.json(tokensOf('new'))
    },
  })
  return { client, kept, sent, isHeld, answer: resolve }
}

test('a refresh that is answered after a log-in of another user does not put the first user back', async () => {
  const { client, kept, sent, isHeld, answer } = startClient({
    tokens: tokensOf('old', inTime.replace(/^\d+/, '2020')),
    held: REFRESH,
  })
  const asked = client.wallet()
  await isHeld
  await client.logIn({ email: 'other@example.com', password: 'a long pass phrase' })
  answer(Response.json(tokensOf('renewed')))
  await asked

  await client.wallet()

  expect(kept).toEqual([tokensOf('new')])
  expect(sent.filter(({ path }) => path.endsWith('/wallet')).map(({ token }) => token)).toEqual([
    'Bearer access-renewed', // what the first user has asked for
    'Bearer access-new',
  ])
})

test('a refresh that is answered after the log-out does not log in again', async () => {
  const { client, kept, isHeld, answer } = startClient({
    tokens: tokensOf('old', inTime.replace(/^\d+/, '2020')),
    held: REFRESH,
  })
  const asked = client.wallet()
  await isHeld
  await client.logOut()
  answer(Response.json(tokensOf('renewed')))
  await asked

  expect(kept).toEqual([undefined])
})

test('a posting that is not let in is not sent again in the name of a user who has logged in meanwhile', async () => {
  const { client, sent, isHeld, answer } = startClient({ tokens: tokensOf('old'), held: '/api/v1/transactions' })
  const asked = client.post({ entry: 'credit', amount: 1 })
  await isHeld
  await client.logIn({ email: 'other@example.com', password: 'a long pass phrase' })
  answer(Response.json({ code: 'unauthenticated', status: 401 }, { status: 401 }))

  await expect(asked).rejects.toMatchObject({ status: 401, code: 'unauthenticated' })
  expect(sent.filter(({ path }) => path.endsWith('/transactions'))).toHaveLength(1)
})

test('a log-out that is answered after a log-in of another user does not log that user out', async () => {
  const { client, kept, isHeld, answer } = startClient({ tokens: tokensOf('old'), held: '/api/v1/auth/logout' })
  const leaving = client.logOut()
  await isHeld
  await client.logIn({ email: 'other@example.com', password: 'a long pass phrase' })
  answer(new Response(null, { status: 204 }))
  await leaving

  expect(kept).toEqual([tokensOf('new')])
})

test('of two log-ins the later one counts, also if the earlier one is answered last', async () => {
  const { client, kept, sent, isHeld, answer } = startClient({ tokens: tokensOf('old'), held: '/api/v1/auth/login' })
  const first = client.logIn({ email: 'first@example.com', password: 'a long pass phrase' })
  await isHeld
  await client.logIn({ email: 'second@example.com', password: 'a long pass phrase' })
  answer(Response.json(tokensOf('first')))
  expect(await first).toMatchObject(tokensOf('first'))

  await client.wallet()

  expect(kept).toEqual([tokensOf('new')])
  expect(sent.at(-1)?.token).toBe('Bearer access-new')
})
