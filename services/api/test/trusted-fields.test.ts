import { randomUUID } from 'node:crypto'
import { fastify } from 'fastify'
import { createPasswords } from '../src/accounts/passwords.ts'
import { type SignUp, signUp } from '../src/accounts/sign-up.ts'
import type { PostTransaction } from '../src/ledger/decide.ts'
import { createPageCursors } from '../src/ledger/page-cursor.ts'
import { createRefusalTurns } from '../src/plugins/guard.ts'
import { transactionRoutes } from '../src/routes/transactions.ts'
import { Problem } from '../src/schemas/problem.ts'
import { transactionSchemas } from '../src/schemas/transaction.ts'
import { expect, makePerson, SECRET, test } from './api.ts'

// The schemas refuse unknown fields. These tests leave the schemas out: no second mistake may make one of them harmful.

test('a posting is for the user of the token, also if a body names another', async () => {
  const posted: PostTransaction[] = []
  const posting = {
    post: async (request: PostTransaction) => {
      posted.push(request)
      throw new Error('posted')
    },
    isFull: false,
  }
  const app = fastify()
  app.setValidatorCompiler(() => () => true)
  for (const schema of [Problem, ...transactionSchemas]) app.addSchema(schema)
  app.addHook('onRequest', async (request) => {
    Object.assign(request, { user: { id: 7 } })
  })
  const cursors = createPageCursors([SECRET])
  const options = {
    ...{ db: {} as never, posting, cursors, turns: createRefusalTurns() },
    ...{ reads: { timeoutMs: 1_000 }, topic: 'transactions' },
  }
  await app.register(transactionRoutes, options)
  const payload = { entry: 'credit', amount: 1, trans_id: 'a', user_id: 8, wallet_id: 9 }
  await app.inject({ method: 'POST', url: '/transactions', payload })
  expect(posted).toEqual([{ user_id: 7, entry: 'credit', amount: 1, trans_id: 'a', trace: undefined }])
})

test('a sign-up stores what it knows, also if a body has other columns', async ({ database: { db } }) => {
  const deps = {
    db,
    passwords: createPasswords({ hashesMax: 1, waitingMax: 0, timeoutMs: 60_000, memoryKib: 64 }),
    sessions: { refreshTtlS: 60, refreshGraceMs: 0, sessionTtlS: 60 },
    logInCounts: { key: Buffer.alloc(32), pairFreeMax: 0, accountFailuresMax: 0, networkFailuresMax: 0 },
  }
  const request: SignUp & { created_at: string } = { ...makePerson(), created_at: '2000-01-01T00:00:00Z' }
  const origin = { request_id: randomUUID(), address: '127.0.0.1', network: '127.0.0.1', user_agent: null }
  const { user } = await signUp(deps, request, origin)
  expect(user.created_at.getUTCFullYear()).toBeGreaterThan(2_000)
})
