import { createHmac } from 'node:crypto'
import { type Db, inTransaction, type Trx } from '@streamledger/db'
import { sql } from 'kysely'
import { decideLogIn, type LogInCounts, type LogInLimits } from './decide-log-in.ts'
import { AccountError } from './errors.ts'

export interface LogInCountsOptions extends LogInLimits {
  key: Buffer
}

/** An account, by the address of mail that was typed, and the network that it was typed in. */
export interface LogInPair {
  email: string
  network: string
}

/** Longer than the longest wait, or to wait would be to begin anew. */
const PAIR_COUNTS_FOR = '24 hours'
const OTHERS_COUNT_FOR = '1 hour'
const KNOWN_FOR = '90 days'
/** Removed with each write, which adds three at most. */
const SWEPT_ROWS_MAX = 20
const PURPOSE = 'streamledger log-in counts v1'

/** The key of the hashes. The oldest secret that is accepted: while one follows another, every replica has that one. */
export function createLogInKey(secrets: readonly string[]): Buffer {
  const oldest = secrets.at(-1)
  if (!oldest) throw new Error('log-in counts need a secret')
  return createHmac('sha256', oldest).update(PURPOSE).digest()
}

/**
 * Counts a try for its pair, before the password is looked at: of many at once, no more get that far than may. Nothing
 * is counted for a try that is refused.
 *
 * @returns how long the next try from there must wait if this one fails, in s
 * @throws AccountError `log_in_limited`
 */
export async function admitLogIn(db: Db, pair: LogInPair, options: LogInCountsOptions): Promise<number> {
  const account = hashOf(pair, options)
  return inTransaction(db, async (trx) => {
    const decision = decideLogIn(await countTry(trx, account, pair.network), options)
    if (decision.kind === 'refused') throw new AccountError('log_in_limited', { waitS: decision.wait_s })
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
 * Counts a failure for its account and for its network. As many may pass their limits as are being hashed at that
 * moment, which is a few; the count of the pair is exact.
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

/** Somebody has shown who they are: what was tried from there is forgiven, and the network is theirs for a while. */
export async function welcome(trx: Trx, pair: LogInPair, options: LogInCountsOptions): Promise<void> {
  await sql`
    insert into log_in_counts (account, network, failures, counts_until, known_until)
    values (${hashOf(pair, options)}, ${pair.network}, 0, now(), now() + ${KNOWN_FOR}::interval)
    on conflict (account, network) do update
       set failures = 0, waits_until = null, known_until = excluded.known_until`.execute(trx)
  await sweep(trx)
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

/** As Postgres, which keeps addresses of mail unique, takes them for the same. */
function hashOf({ email }: LogInPair, { key }: LogInCountsOptions) {
  return sql<Buffer>`sha256(${key}::bytea || sha256(convert_to(lower(${email}), 'UTF8')))`
}

/** Whoever makes rows removes the old ones, so that no more are kept than were made while one lasts. */
async function sweep(trx: Trx): Promise<void> {
  await sql`
    delete from log_in_counts where ctid = any(array(
      select ctid from log_in_counts where expires_at <= now() limit ${SWEPT_ROWS_MAX} for update skip locked
    ))`.execute(trx)
}
