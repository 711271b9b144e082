import { createHmac } from 'node:crypto'

/** Longer than any run. */
const TTL_S = 86_400

/** An access token as the API would give one out for this user: a thousand log-ins would only measure argon2id. */
export function signAccessToken(secret: string, userId: number): string {
  const issuedAt = Math.floor(Date.now() / 1_000)
  const header = { alg: 'HS256', typ: 'at+jwt' }
  const claims = {
    ...{ sub: String(userId), iat: issuedAt, exp: issuedAt + TTL_S },
    ...{ iss: 'streamledger', aud: 'streamledger-api' },
  }
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
