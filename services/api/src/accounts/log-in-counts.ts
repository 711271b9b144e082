import { createHmac } from 'node:crypto'
import { type Db, inTransaction, type Trx } from '@streamledger/db'
import { sql } from 'kysely'
import { ApiError } from '../errors.ts'
import { decideLogIn, type LogInCounts, type LogInLimits } from './decide-log-in.ts'

export interface LogInCountsOptions extends LogInLimits {
  key: Buffer
}

/** One account, by the e-mail address as typed, and one network. */
export interface LogInPair {
  email: string
  network: string
}

/** Longer than the longest wait; otherwise waiting would reset the count. */
const PAIR_COUNTS_FOR = '24 hours'
const OTHERS_COUNT_FOR = '1 hour'
const KNOWN_FOR = '90 days'
/** Expired rows that each write removes. A write adds at most three rows. */
const SWEPT_ROWS_MAX = 20
const PURPOSE = 'streamledger log-in counts v1'

/** The key of the account hashes, from the oldest accepted secret: during a rotation every replica has that one. */
export function createLogInKey(secrets: readonly string[]): Buffer {
  const oldest = secrets.at(-1)
  if (!oldest) throw new Error('log-in counts need a secret')
  return createHmac('sha256', oldest).update(PURPOSE).digest()
}

/**
 * Counts a try for its pair before the password is checked, so that parallel tries cannot exceed the limit. A refused
 * try is not counted.
 *
 * @returns how long the next try of the pair must wait if this one fails, in s
 * @throws ApiError `log_in_limited`
 */
export async function admitLogIn(db: Db, pair: LogInPair, options: LogInCountsOptions): Promise<number> {
  const account = hashOf(pair, options)
  return inTransaction(db, async (trx) => {
    const decision = decideLogIn(await countTry(trx, account, pair.network), options)
    if (decision.kind === 'refused') throw new ApiError('log_in_limited', { waitS: decision.wait_s })
    const { next_wait_s } = decision
    if (next_wait_s > 0) {
      await sql`
        update log_in_counts set waits_until = now() + ${next_wait_s}::float8 * interval '1 s'
         where account = ${account} and network = ${pair.network}`.execute(trx)
    }
    return next_wait_s
  })
}

/**
 * Counts a failure for its account and for its network. These two limits can be exceeded by the few tries that are
 * being hashed at that moment; the count of the pair is exact.
 *
 * @returns the failures of the network
 */
export async function countFailure(trx: Trx, pair: LogInPair, options: LogInCountsOptions): Promise<number> {
  const { rows } = await sql<{ failures: number }>`
    insert into log_in_counts as c (account, network, failures, counts_until)
    values (${hashOf(pair, options)}, null, 1, now() + ${OTHERS_COUNT_FOR}::interval),
           (null, ${pair.network}, 1, now() + ${OTHERS_COUNT_FOR}::interval)
    on conflict (account, network) do update
       set failures = case when c.counts_until > now() then c.failures else 0 end + 1,
           counts_until = case when c.counts_until > now() then c.counts_until else excluded.counts_until end
    returning failures, network`.execute(trx)
  await sweep(trx)
  return rows.at(-1)?.failures ?? 0
}

/**
 * After a successful log-in or sign-up: resets the failures of the pair, and marks the network as known for a while.
 */
export async function welcome(db: Db, pair: LogInPair, options: LogInCountsOptions): Promise<void> {
  await sql`
    insert into log_in_counts (account, network, failures, counts_until, known_until)
    values (${hashOf(pair, options)}, ${pair.network}, 0, now(), now() + ${KNOWN_FOR}::interval)
    on conflict (account, network) do update
       set failures = 0, waits_until = null, known_until = excluded.known_until`.execute(db)
  await sweep(db)
}

async function countTry(trx: Trx, account: Hash, network: string): Promise<LogInCounts> {
  const { rows } = await sql<LogInCounts>`
    with pair as (
      insert into log_in_counts as c (account, network, failures, counts_until)
      values (${account}, ${network}, 1, now() + ${PAIR_COUNTS_FOR}::interval)
      on conflict (account, network) do update
         set failures = case when c.counts_until > now() then c.failures else 0 end + 1,
             counts_until = excluded.counts_until
      returning failures, waits_until, known_until
    )
    select p.failures as pair_failures,
           greatest(extract(epoch from p.waits_until - now()), 0)::float8 as pair_wait_s,
           coalesce(p.known_until > now(), false) as known,
           coalesce(a.failures, 0) as account_failures,
           coalesce(n.failures, 0) as network_failures,
           coalesce(extract(epoch from n.counts_until - now()), 0)::float8 as network_ends_in_s
      from pair p
      left join log_in_counts a on a.account = ${account} and a.network is null and a.counts_until > now()
      left join log_in_counts n on n.account is null and n.network = ${network} and n.counts_until > now()`.execute(trx)
  return rows[0] as LogInCounts
}

type Hash = ReturnType<typeof hashOf>

/** Hashed in Postgres: its lower() also decides which e-mail addresses are the same account. */
function hashOf({ email }: LogInPair, { key }: LogInCountsOptions) {
  return sql<Buffer>`sha256(${key}::bytea || sha256(convert_to(lower(${email}), 'UTF8')))`
}

/** Each write deletes some expired rows, more than it adds, so the table cannot grow without bound. */
async function sweep(db: Db): Promise<void> {
  await sql`
    delete from log_in_counts where ctid = any(array(
      select ctid from log_in_counts where expires_at <= now() limit ${SWEPT_ROWS_MAX} for update skip locked
    ))`.execute(db)
}
