import createHttpClient, { type Client } from 'openapi-fetch'
import { type Problem, ProblemError } from './errors.ts'
import type { components, paths } from './openapi.ts'
import { createRetryingFetch, type Fetch, RETRY_DEFAULTS, type RetryOptions } from './retry.ts'
import { Session, type Tokens } from './session.ts'

type Schemas = components['schemas']
export type Person = Schemas['SignUp']
export type Credentials = Schemas['LogIn']

export interface Posting {
  entry: 'credit' | 'debit'
  /** Integer kobo, 1 or more. */
  amount: number
  /** Your idempotency key. Default: a random one, which is in the answer, or in the UnansweredError. */
  trans_id?: string
}

export interface Posted {
  transaction: Schemas['Transaction']
  /** It was already recorded: by an earlier try of this call, or by an earlier call with the same trans_id. */
  replayed: boolean
}

interface HistoryFilters {
  entry?: 'credit' | 'debit'
  /** Posted at this instant or later (RFC 3339, with its offset). */
  from?: string
  /** Posted before this instant. */
  to?: string
}

export interface LedgerClientOptions {
  /** Where the API is, for example http://127.0.0.1:3000. */
  baseUrl: string
  /** The tokens of an earlier session. */
  tokens?: Tokens
  /** Called with each new pair of tokens, and with undefined when the session has ended. Store them for a restart. */
  onTokens?: (tokens: Tokens | undefined) => void
  retry?: Partial<RetryOptions>
  fetch?: Fetch
}

/**
 * The API for one user. Requests that are safe to repeat (reads, and writes with a key) are repeated on network errors
 * and while the API is busy. Every method rejects with a ProblemError when the API refuses, and with an UnansweredError
 * when no final answer came in time.
 */
export interface LedgerClient {
  /** Creates a user and logs in. Sent once: if its answer is lost, log in. */
  signUp(person: Person): Promise<Schemas['SignedIn']>
  logIn(credentials: Credentials): Promise<Schemas['SignedIn']>
  logOut(): Promise<void>
  wallet(): Promise<Schemas['OwnedWallet']>
  /** Credits or debits the wallet. Takes effect once, even if the request is sent several times. */
  post(posting: Posting): Promise<Posted>
  /** Returns the outcome of a trans_id: its transaction or its refusal. Executes nothing. */
  outcome(transId: string): Promise<Schemas['Outcome']>
  /** The history, newest first. Pages are loaded as they are read. */
  transactions(filters?: HistoryFilters): AsyncGenerator<Schemas['Transaction'], void>
  /** All paths of the API, typed and authorized. Repeats nothing. */
  readonly http: Client<paths>
}

/** How long the API accepts a used refresh token again: REFRESH_GRACE_MS. After that a repeated one ends the session. */
const REFRESH_GRACE_MS = 10_000

/** Several tries end within the grace, which begins when the first one takes effect. */
function withinGrace({ timeoutMs, tryTimeoutMs }: RetryOptions): Pick<RetryOptions, 'timeoutMs' | 'tryTimeoutMs'> {
  return {
    timeoutMs: Math.min(timeoutMs, REFRESH_GRACE_MS * 0.9),
    tryTimeoutMs: Math.min(tryTimeoutMs, REFRESH_GRACE_MS * 0.3),
  }
}

export function createLedgerClient(options: LedgerClientOptions): LedgerClient {
  const { baseUrl, tokens, onTokens, fetch = globalThis.fetch } = options
  const retry = { ...RETRY_DEFAULTS, ...options.retry }
  const http = createHttpClient<paths>({ baseUrl, fetch: (request) => session.authorize(fetch)(request) })
  const plain = createHttpClient<paths>({ baseUrl, fetch })
  const patient = createRetryingFetch(fetch, retry)
  const prompt = createRetryingFetch(fetch, { ...retry, ...withinGrace(retry) })
  const session = new Session({
    ...{ tokens, onTokens },
    // Safe to repeat within the grace: then the API accepts a used refresh token again.
    refresh: async (refresh_token) =>
      contentOf(await plain.POST('/api/v1/auth/refresh', { body: { refresh_token }, fetch: prompt })),
  })
  const patientAndAuthorized = session.authorize(patient)

  async function signIn(answer: Promise<{ data?: Schemas['SignedIn']; error?: Problem; response: Response }>) {
    const keep = session.begin()
    const account = contentOf(await answer)
    keep({ access_token: account.access_token, refresh_token: account.refresh_token })
    return account
  }

  return {
    http,
    signUp: (body) => signIn(plain.POST('/api/v1/auth/signup', { body })),
    logIn: (body) => signIn(plain.POST('/api/v1/auth/login', { body, fetch: patient })),
    logOut: async () => {
      const refresh_token = session.tokens?.refresh_token.token
      if (refresh_token === undefined) return
      const keep = session.begin()
      const answer = await plain.POST('/api/v1/auth/logout', { body: { refresh_token }, fetch: patient })
      if (answer.error) throw problemOf(answer)
      keep(undefined)
    },
    wallet: async () => contentOf(await http.GET('/api/v1/wallet', { fetch: patientAndAuthorized })),
    post: async ({ entry, amount, trans_id = crypto.randomUUID() }) => {
      const keyed = session.authorize(createRetryingFetch(fetch, retry, trans_id))
      const answer = await http.POST('/api/v1/transactions', { body: { entry, amount, trans_id }, fetch: keyed })
      const replayed = answer.response.headers.get('idempotent-replayed') === 'true'
      return { transaction: contentOf(answer), replayed }
    },
    outcome: async (trans_id) =>
      contentOf(
        await http.GET('/api/v1/transactions/outcome', {
          params: { query: { trans_id } },
          fetch: patientAndAuthorized,
        }),
      ),
    async *transactions(filters = {}) {
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const query = cursor === undefined ? filters : { cursor } // the cursor contains the filters
        const page = contentOf(
          await http.GET('/api/v1/transactions', { params: { query }, fetch: patientAndAuthorized }),
        )
        yield* page.data
        cursor = page.pagination.next_cursor
      }
    },
  }
}

/** Returns the content of a successful answer; throws a ProblemError otherwise. */
function contentOf<Content>(answer: { data?: Content; error?: Problem; response: Response }): Content {
  if (answer.data !== undefined) return answer.data
  throw problemOf(answer)
}

/** An answer without a `code` is not from the API: a proxy may have sent it. */
function problemOf({ error, response }: { error?: Problem; response: Response }): ProblemError {
  return new ProblemError(typeof error?.code === 'string' ? error : unknownProblem(response))
}

function unknownProblem({ status, url }: Response): Problem {
  const { pathname } = new URL(url)
  const detail = `answered ${status} without saying why`
  const code = 'not_a_problem'
  return { type: `urn:streamledger:problem:${code}`, title: 'Not a problem', ...{ status, detail, code }, instance: pathname, request_id: '' } // biome-ignore format: one line
}
