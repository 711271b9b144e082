import { ProblemError } from './errors.ts'
import type { components } from './openapi.ts'
import type { Fetch } from './retry.ts'

export type Tokens = Pick<components['schemas']['Tokens'], 'access_token' | 'refresh_token'>

export interface SessionOptions {
  tokens: Tokens | undefined
  /** Called with each new pair, and with undefined when the session has ended. */
  onTokens: ((tokens: Tokens | undefined) => void) | undefined
  /** Exchanges a refresh token for the next pair. @throws ProblemError */
  refresh(refreshToken: string): Promise<Tokens>
}

/** An access token that expires within this time is replaced before it is used, in ms. */
const RENEW_BEFORE_MS = 30_000

/** The tokens of the logged-in user. Concurrent requests share one refresh, since a refresh token can be used once. */
export class Session {
  readonly #options: SessionOptions
  #tokens: Tokens | undefined
  /** The log-in or log-out that the tokens are from: what began under another one belongs to another session. */
  #session = 0
  /** Counts log-ins and log-outs as they begin. */
  #begun = 0
  #refreshing: Promise<Tokens> | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    this.#tokens = options.tokens
  }

  get tokens(): Tokens | undefined {
    return this.#tokens
  }

  /**
   * At the beginning of a log-in or a log-out. Returns what keeps its tokens at its end, unless a later one has ended
   * before it: that one decides who is logged in.
   */
  begin(): (tokens: Tokens | undefined) => void {
    this.#begun += 1
    const session = this.#begun
    return (tokens) => {
      if (session < this.#session) return
      this.#session = session
      this.#refreshing = undefined
      this.#keep(tokens)
    }
  }

  #keep(tokens: Tokens | undefined): void {
    this.#tokens = tokens
    this.#options.onTokens?.(tokens)
  }

  /** Wraps a fetch so that each request is authorized, and sent a second time if its token is no longer accepted. */
  authorize(fetch: Fetch): Fetch {
    return async (request) => {
      const session = this.#session
      const first = await this.#accessToken()
      const response = await fetch(withToken(request.clone(), first))
      // The tokens of another session would send this request to the wallet of another user.
      if (response.status !== 401 || !this.#tokens || session !== this.#session) return response
      // Another request may have refreshed meanwhile.
      const { access_token } = this.#tokens.access_token.token === first ? await this.#refresh() : this.#tokens
      await response.body?.cancel()
      return fetch(withToken(request, access_token.token))
    }
  }

  async #accessToken(): Promise<string | undefined> {
    if (!this.#tokens) return undefined
    const endsAt = Date.parse(this.#tokens.access_token.expires_at)
    const tokens = endsAt - Date.now() < RENEW_BEFORE_MS ? await this.#refresh() : this.#tokens
    return tokens.access_token.token
  }

  #refresh(): Promise<Tokens> {
    const { refresh_token } = this.#tokens as Tokens
    if (this.#refreshing) return this.#refreshing
    const refreshing = this.#exchange(refresh_token.token).finally(() => {
      if (this.#refreshing === refreshing) this.#refreshing = undefined
    })
    this.#refreshing = refreshing
    return refreshing
  }

  async #exchange(refreshToken: string): Promise<Tokens> {
    const session = this.#session
    try {
      const tokens = await this.#options.refresh(refreshToken)
      if (session === this.#session) this.#keep(tokens)
      return tokens
    } catch (error) {
      // The refresh token is used up. After any other error it may still be valid.
      const isUsedUp = error instanceof ProblemError && error.status === 401
      if (isUsedUp && session === this.#session) this.#keep(undefined)
      throw error
    }
  }
}

function withToken(request: Request, token: string | undefined): Request {
  if (token !== undefined) request.headers.set('authorization', `Bearer ${token}`)
  return request
}
