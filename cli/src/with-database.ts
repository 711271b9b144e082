import { createPool, isUnavailable } from '@streamledger/db'
import type { Pool } from 'pg'
import { CliError } from './errors.ts'

const CONNECTIONS_MAX = 2
/** Beyond what the services allow: one of these statements looks at tens of thousands of rows. */
const STATEMENT_TIMEOUT_MS = 60_000
const UNDEFINED_TABLE = '42P01'
const REFUSED_LOGINS = new Set(['28P01', '28000', '3D000'])

export interface DatabaseUse {
  /** For a command that changes something. What only looks must not be able to, by a slip of ours either. */
  writes?: boolean
}

/**
 * Lends a pool, whose sessions cannot write unless that is asked for, and explains what keeps Postgres from answering.
 *
 * @throws CliError `unavailable`, `unsuitable`
 */
export async function withDatabase<T>(
  url: string,
  use: (pool: Pool) => Promise<T>,
  { writes = false }: DatabaseUse = {},
): Promise<T> {
  const pool = open(url, writes)
  try {
    return await use(pool)
  } catch (error) {
    throw explain(url, error)
  } finally {
    await pool.end().catch(() => {})
  }
}

function open(text: string, writes: boolean) {
  const url = parseUrl(text)
  try {
    return createPool((writes ? url : readOnly(url)).href, {
      applicationName: 'streamledger cli',
      connectionsMax: CONNECTIONS_MAX,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    })
  } catch (error) {
    throw explain(text, error)
  }
}

function parseUrl(text: string): URL {
  if (URL.canParse(text)) return new URL(text)
  throw new CliError('configuration', 'DATABASE_URL is no URL: it wants postgres://user:password@host:port/database.')
}

function readOnly(text: URL): URL {
  const url = new URL(text)
  const options = [url.searchParams.get('options'), '-c default_transaction_read_only=on'].filter(Boolean).join(' ')
  url.searchParams.set('options', options)
  return url
}

function explain(url: string, error: unknown): unknown {
  if (error instanceof CliError) return error
  const { code = '', message = '' } = error as { code?: string; message?: string }
  const place = URL.canParse(url) ? new URL(url).host : 'DATABASE_URL' // never the whole: it has the password in it
  if (REFUSED_LOGINS.has(code)) {
    return new CliError('unavailable', `Postgres at ${place} refuses: ${message}. Check DATABASE_URL.`, {
      cause: error,
    })
  }
  if (code === UNDEFINED_TABLE) {
    const text = `The database at ${place} is no StreamLedger database of this release (${message}). Check DATABASE_URL; services migrate the database when they start.`
    return new CliError('unsuitable', text, { cause: error })
  }
  if (isUnavailable(error)) {
    const text = `Postgres at ${place} cannot be reached, or is too slow (${message || code}). Is it running, and is DATABASE_URL right?`
    return new CliError('unavailable', text, { cause: error })
  }
  return error
}
