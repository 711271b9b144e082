import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import Type from 'typebox'
import { logIn } from '../accounts/log-in.ts'
import { endSession, type RefreshToken, refreshSession } from '../accounts/sessions.ts'
import { type AccountDeps, type SignedIn, signUp } from '../accounts/sign-up.ts'
import { signAccessToken } from '../plugins/authenticate.ts'
import { createSignInLimit, type GuardOptions } from '../plugins/guard.ts'
import {
  LogInBody,
  RefreshBody,
  SignedInView,
  SignUpBody,
  TokensView,
  toUserView,
  toWalletView,
} from '../schemas/account.ts'
import { answer, ref } from '../schemas/common.ts'
import { BODY, problems } from '../schemas/problem.ts'
import { originOf } from './origin-of.ts'

export interface AuthRoutesOptions extends AccountDeps {
  accessTtlS: number
  guarded: GuardOptions
}

const tags = ['auth']

export const authRoutes: FastifyPluginAsyncTypebox<AuthRoutesOptions> = async (
  app,
  { accessTtlS, guarded, ...accounts },
) => {
  const onRequest = createSignInLimit(app, guarded)
  const tokensOf = (user_id: number, { token, expires_at }: RefreshToken) => ({
    access_token: signAccessToken(app, user_id, accessTtlS),
    refresh_token: { token, expires_at: expires_at.toISOString() },
  })
  const signedIn = ({ user, wallet, refresh_token }: SignedIn) => ({
    user: toUserView(user),
    wallet: toWalletView(wallet),
    ...tokensOf(user.id, refresh_token),
  })

  app.post(
    '/auth/signup',
    {
      onRequest,
      schema: {
        tags,
        operationId: 'signUp',
        summary: 'Sign up',
        description: 'Creates a user and their wallet in one commit, and logs the user in.',
        body: ref(SignUpBody),
        response: { 201: answer(SignedInView, 'Signed up and logged in.'), ...problems(...BODY, 409) },
      },
    },
    async (request, reply) => reply.code(201).send(signedIn(await signUp(accounts, request.body, originOf(request)))),
  )

  app.post(
    '/auth/login',
    {
      onRequest,
      schema: {
        tags,
        operationId: 'logIn',
        summary: 'Log in',
        description:
          'An unknown e-mail address takes the same time and gets the same answer as a wrong password. After several ' +
          'failures, further tries from the same address must wait, longer each time: 429 `log_in_limited`.',
        body: ref(LogInBody),
        response: { 200: answer(SignedInView, 'Logged in.'), ...problems(...BODY, 401) },
      },
    },
    async (request) => signedIn(await logIn(accounts, request.body, originOf(request))),
  )

  app.post(
    '/auth/refresh',
    {
      schema: {
        tags,
        operationId: 'refresh',
        summary: 'Exchange a refresh token for the next pair',
        description:
          'A refresh token can be exchanged once. If it is sent again, the whole log-in is revoked, unless this happens ' +
          'within a few seconds, as with a client that lost the answer. Such a client gets another token; the first of ' +
          'the two to be used ends the other.',
        body: ref(RefreshBody),
        response: { 200: answer(TokensView, 'The next pair.'), ...problems(...BODY, 401) },
      },
    },
    async (request) => {
      const shown = { token: request.body.refresh_token, origin: originOf(request) }
      const refreshed = await refreshSession(accounts.db, shown, accounts.sessions)
      return tokensOf(refreshed.user_id, refreshed.refresh_token)
    },
  )

  app.post(
    '/auth/logout',
    {
      schema: {
        tags,
        operationId: 'logOut',
        summary: 'Log out',
        description:
          'Ends the log-in that this refresh token belongs to. Access tokens that were already issued stay valid until they expire.',
        body: ref(RefreshBody),
        response: { 204: Type.Null({ description: 'Logged out, by this request or earlier.' }), ...problems(...BODY) },
      },
    },
    async (request, reply) => {
      await endSession(accounts.db, { token: request.body.refresh_token, origin: originOf(request) })
      return reply.code(204).send(null)
    },
  )
}
