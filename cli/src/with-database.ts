import { createPool, isDenied, isUnavailable } from '@streamledger/db'
import { parsePostgresUrl } from '@streamledger/runtime'
import type { Pool } from 'pg'
import { CliError } from './errors.ts'

const CONNECTIONS_MAX = 2
/** Longer than in the services: one of these statements reads tens of thousands of rows. */
const STATEMENT_TIMEOUT_MS = 60_000
const UNDEFINED_TABLE = '42P01'
const REFUSED_LOGINS = new Set(['28P01', '28000', '3D000'])

export interface DatabaseUse {
  /** For a command that changes something. For all others, Postgres itself refuses writes, so that a bug cannot write. */
  writes?: boolean
}

/**
 * Opens a pool for one use, and turns errors of the connection into messages for the user. Without `writes`, its sessions
 * are read-only.
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
  const url = parsePostgresUrl(text)
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

function readOnly(text: URL): URL {
  const url = new URL(text)
  const options = [url.searchParams.get('options'), '-c default_transaction_read_only=on'].filter(Boolean).join(' ')
  url.searchParams.set('options', options)
  return url
}

function explain(url: string, error: unknown): unknown {
  if (error instanceof CliError) return error
  const { code = '', message = '' } = error as { code?: string; message?: string }
  const place = parsePostgresUrl(url).host // never the whole URL: it contains the password
  if (REFUSED_LOGINS.has(code)) {
    return new CliError('unavailable', `Postgres at ${place} refuses the login: ${message}. Check DATABASE_URL.`, {
      cause: error,
    })
  }
  if (code === UNDEFINED_TABLE) {
    const text = `The database at ${place} is not a StreamLedger database of this release (${message}). Check DATABASE_URL, and whether the database is migrated.`
    return new CliError('unsuitable', text, { cause: error })
  }
  if (isDenied(error)) {
    const text = `The role of DATABASE_URL may not do this (${message}). Commands that only read need the role of the audit, all others the role that owns the tables: see docs/roles.md.`
    return new CliError('unsuitable', text, { cause: error })
  }
  if (isUnavailable(error)) {
    const text = `Postgres at ${place} cannot be reached, or is too slow (${message || code}). Is it running, and is DATABASE_URL right?`
    return new CliError('unavailable', text, { cause: error })
  }
  return error
}
