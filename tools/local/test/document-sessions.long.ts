import { expect, test } from '@streamledger/testkit'
import { createApiClient } from '../src/api-client.ts'
import { sessionsOf } from '../src/document-pages.ts'
import { runSession } from './document-session.ts'
import { ownStackEnv, runNpm } from './run-npm.ts'

// Each page that tools/local/src/document-pages.ts gives to this file, on one stack of `npm start`.

/** The user of the README's first session, whom other pages know. */
async function signUpAda(origin: string): Promise<void> {
  const api = createApiClient(`${origin}/api/v1`)
  const person = { first_name: 'Ada', last_name: 'Obi', email: 'ada@example.com', password: 'a-quiet-harbour-42' }
  const { json } = await api.call('POST', '/auth/signup', { body: person, status: 201 })
  api.authorize((json as { access_token: { token: string } }).access_token.token)
  const body = { entry: 'credit', amount: 500_000, trans_id: 'salary-1' }
  await api.call('POST', '/transactions', { body, status: 201 })
}

test('what the pages tell people to type works as they show it', async () => {
  const env = await ownStackEnv()
  const stack = runNpm(['start'], env)
  await stack.untilSays('Ctrl-C stops everything.')
  await signUpAda(`http://127.0.0.1:${env.PORT}`)
  const pages = sessionsOf('tools/local/test/document-sessions.long.ts')
  expect(pages.length).toBeGreaterThan(0)
  // All of them, even if one fails.
  const results = await Promise.allSettled(pages.map((page) => runSession(page, { env })))
  const faults = results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as Error).message] : []))
  expect(faults.join('\n\n')).toBe('')
  stack.child.kill('SIGTERM')
  expect(await stack.exited).toBe(0)
}, 900_000)
