import type { Pool, PoolClient, QueryConfig, QueryResult } from 'pg'
import type { Patience } from './retry.ts'
import { retryUnavailable } from './retry-unavailable.ts'

/** Names of graphile-worker's statements that write how a job has ended. */
const ENDS_JOB = /^(?:complete|fail)_job/

type Lent = Pick<PoolClient, 'query'> & { release(): Promise<void> }
type OnConnect = Parameters<Pool['connect']>[0]

/**
 * The pool for graphile-worker. It retries the statements that write how a job has ended; these may run twice.
 * graphile-worker tries them once and takes no more jobs if that fails, so one broken connection or slow statement
 * would end the exporter.
 */
export function createPatientPool(pool: Pool, patience: Patience): Pool {
  const connect = (onConnect?: OnConnect) => (onConnect ? pool.connect(onConnect) : lend(pool, patience))
  return new Proxy(pool, {
    get(target, key) {
      if (key === 'connect') return connect
      const member = Reflect.get(target, key)
      return typeof member === 'function' ? member.bind(target) : member
    },
  })
}

/** A client that connects on its first query: until then it is unknown whether the query may be retried. */
async function lend(pool: Pool, patience: Patience): Promise<Lent> {
  let client: Promise<PoolClient> | undefined
  const query = async (statement: string | QueryConfig, values?: unknown[]): Promise<QueryResult> => {
    if (endsJob(statement)) return retryUnavailable(() => pool.query(statement), patience)
    client ??= pool.connect()
    return (await client).query(statement, values)
  }
  return {
    query: query as PoolClient['query'],
    async release() {
      const lent = await client?.catch(() => undefined)
      lent?.release()
    },
  }
}

function endsJob(statement: string | QueryConfig): boolean {
  return typeof statement !== 'string' && ENDS_JOB.test(statement.name ?? '')
}
