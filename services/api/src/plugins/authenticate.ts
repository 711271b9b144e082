import jwt from '@fastify/jwt'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ApiError } from '../errors.ts'

declare module '@fastify/jwt' {
  interface FastifyJWT {
    payload: { sub: string; iat: number; exp: number }
    user: { id: number }
  }
}

export interface AccessTokensOptions {
  /** The first one signs; all are accepted. */
  secrets: readonly string[]
}

export interface AccessToken {
  token: string
  expires_at: string
}

// RFC 8725: algorithm, issuer, audience and type are fixed, so that no other kind of token, of this or another service,
// is accepted as an access token.
const ALGORITHM = 'HS256'
const ISSUER = 'streamledger'
const AUDIENCE = 'streamledger-api'
const TYPE = 'at+jwt' // RFC 9068
const CLAIMS = ['sub', 'iat', 'exp', 'iss', 'aud']

const BEARER = /^Bearer +([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/i
/** Also an id beyond 2^53 has this form. It is refused, because a number could not hold it exactly. */
const USER_ID = /^[1-9]\d{0,15}$/
const INVALID_SIGNATURE = 'FAST_JWT_INVALID_SIGNATURE'
const INVALID_TOKEN = { 'www-authenticate': 'Bearer realm="streamledger", error="invalid_token"' }

/** Adds `app.jwt`, which `signAccessToken` and `authenticate` use. */
export const accessTokens = fp<AccessTokensOptions>(
  async (app, { secrets: [secret] }) => {
    if (!secret) throw new Error('access tokens need a secret')
    await app.register(jwt, {
      secret,
      sign: { algorithm: ALGORITHM, iss: ISSUER, aud: AUDIENCE, header: { alg: ALGORITHM, typ: TYPE } },
      verify: {
        algorithms: [ALGORITHM],
        allowedIss: ISSUER,
        allowedAud: AUDIENCE,
        checkTyp: TYPE,
        requiredClaims: CLAIMS,
      },
    })
  },
  { name: 'access-tokens' },
)

export function signAccessToken(app: FastifyInstance, user_id: number, ttlS: number): AccessToken {
  const iat = Math.floor(Date.now() / 1000)
  const exp = iat + ttlS
  const token = app.jwt.sign({ sub: String(user_id), iat, exp })
  return { token, expires_at: new Date(exp * 1000).toISOString() }
}

/** Answers 401 to every request of this scope without a valid access token. Sets `request.user`. */
export function authenticate(app: FastifyInstance, [, ...older]: AccessTokensOptions['secrets']): void {
  const verified = createVerifiedHeaders()
  app.addHook('onRequest', (request, _reply, done) => {
    const { authorization } = request.headers
    if (authorization === undefined) return done(new ApiError('unauthenticated'))
    const user_id = verified.find(authorization) ?? verify(authorization)
    if (user_id === undefined) return done(new ApiError('unauthenticated', { headers: INVALID_TOKEN }))
    request.user = { id: user_id }
    done()
  })

  function verify(authorization: string): number | undefined {
    const token = BEARER.exec(authorization)?.[1]
    const access = token === undefined ? undefined : readAccessToken(app, token, older)
    if (access) verified.add(authorization, access)
    return access?.user_id
  }
}

interface Access {
  user_id: number
  /** In ms since the epoch. */
  expiresAt: number
}

const MS_PER_S = 1_000
const VERIFIED_MAX = 10_000

/** Caches verified headers until their token expires: a client sends the same header hundreds of times. */
function createVerifiedHeaders() {
  const headers = new Map<string, Access>()
  return {
    find(header: string): number | undefined {
      const access = headers.get(header)
      if (!access) return undefined
      if (Date.now() < access.expiresAt) return access.user_id
      headers.delete(header)
      return undefined
    },
    add(header: string, access: Access): void {
      // Evict the oldest entry, so that a flood of tokens cannot fill the memory.
      if (headers.size >= VERIFIED_MAX) headers.delete(headers.keys().next().value as string)
      headers.set(header, access)
    },
  }
}

/** @returns undefined for an invalid token. The reason is not disclosed. */
function readAccessToken(app: FastifyInstance, token: string, older: readonly string[]): Access | undefined {
  const keys = [undefined, ...older]
  for (const key of keys) {
    try {
      const { sub, exp } = app.jwt.verify<{ sub: unknown; exp: number }>(token, key === undefined ? undefined : { key })
      const user_id = typeof sub === 'string' && USER_ID.test(sub) ? Number(sub) : Number.NaN
      return Number.isSafeInteger(user_id) ? { user_id, expiresAt: exp * MS_PER_S } : undefined
    } catch (error) {
      // Trying another secret helps only with an invalid signature.
      if ((error as { code?: unknown }).code !== INVALID_SIGNATURE) return undefined
    }
  }
  return undefined
}
