import { randomUUID } from 'node:crypto'
import { claimInstallation, type Topic } from '@streamledger/db'
import { transactionPosted } from '@streamledger/events'
import type { TestDatabase, TestKafka } from '@streamledger/testkit'
import type { Pool } from 'pg'

/** An installation whose ledger a test fills, and then breaks. */
export interface Ledger {
  pool: Pool
  topic: Topic
  env: Record<string, string>
  installationId: string
  /** Empty wallets; their ids. */
  addWallets(count: number): Promise<number[]>
  /** Posts as the API does: transaction, balance and outbox row in one statement; undefined if another was faster. */
  post(wallet: number, amount: number, at?: Date): Promise<number | undefined>
  /** Runs a statement with triggers and foreign keys off. */
  corrupt(statement: string, values?: unknown[]): Promise<void>
}

/** `of`: the database is a copy of this one's. */
export async function makeLedger(
  database: Pick<TestDatabase, 'db' | 'pool' | 'url'>,
  kafka: TestKafka,
  partitions = 2,
  of?: Ledger,
): Promise<Ledger> {
  const { pool, url } = database
  const installationId = of?.installationId ?? randomUUID()
  const name = of?.topic.name ?? (await kafka.createTopic(partitions))
  const topic = of ? { ...of.topic } : await claimInstallation(pool, { installationId, topic: name, partitions })
  return {
    ...{ pool, topic, installationId, env: { DATABASE_URL: url, KAFKA_BROKERS: kafka.brokers } },
    addWallets: (count) => addWallets(pool, count),
    post: (wallet, amount, at) => post(pool, topic, { wallet, amount, at }),
    corrupt: (statement, values = []) => corrupt(pool, statement, values),
  }
}

async function addWallets(pool: Pool, count: number): Promise<number[]> {
  const { rows } = await pool.query<{ id: number }>(
    `with people as (
       insert into users (first_name, last_name, email, password)
       select 'Ada', 'Obi', gen_random_uuid() || '@example.com', 'none' from generate_series(1, $1) returning id
     ) insert into wallets (user_id) select id from people returning id`,
    [count],
  )
  return rows.map(({ id }) => id).sort((a, b) => a - b)
}

interface Posting {
  wallet: number
  /** Negative for a debit. */
  amount: number
  at: Date | undefined
}

async function post(pool: Pool, topic: Topic, { wallet, amount, at }: Posting): Promise<number | undefined> {
  const { rows } = await pool.query('select *, nextval($2) as next_id from wallets where id = $1', [
    wallet,
    'transactions_id_seq',
  ])
  const { next_id: id, user_id, version, updated_at, currency, ...before } = rows[0]
  const now = at ?? new Date()
  const transaction = {
    ...{ id, user_id, wallet_id: wallet, sequence: before.sequence + 1, balance: before.balance + amount, currency },
    ...{ entry: amount > 0 ? ('credit' as const) : ('debit' as const), amount: Math.abs(amount) },
    ...{ trans_id: `t-${id}`, created_at: at || now > updated_at ? now : updated_at },
  }
  const event = transactionPosted(transaction, { source: topic.event_source, partitions: topic.partitions })
  const { rowCount } = await pool.query(
    `with updated as (
       update wallets set balance = $3, sequence = $4, version = version + 1, updated_at = $5
        where id = $1 and version = $2 returning id
     ), posted as (
       insert into transactions (id, wallet_id, sequence, amount, balance, created_at, entry, trans_id)
       select $6::bigint, id, $4::bigint, $7::bigint, $3::bigint, $5::timestamptz, $8::entry, $9::text from updated
     ), announced as (
       insert into outbox (partition, key, payload, headers)
       select $10::int, $11::text, $12::text, $13::json from updated
     ) select from updated`,
    [
      ...[wallet, version, transaction.balance, transaction.sequence, transaction.created_at],
      ...[id, transaction.amount, transaction.entry, transaction.trans_id],
      ...[event.partition, event.key, event.payload, event.headers],
    ],
  )
  return rowCount === 1 ? id : undefined
}

async function corrupt(pool: Pool, statement: string, values: unknown[]): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('set session_replication_role = replica')
    await client.query(statement, values)
  } finally {
    await client.query('reset session_replication_role')
    client.release()
  }
}

/** Posts to random wallets from several connections until it is stopped, which returns how many it posted. */
export function keepPosting({ post }: Ledger, wallets: readonly number[], posters = 4): { stop(): Promise<number> } {
  let running = true
  let posted = 0
  const run = async (): Promise<void> => {
    while (running) {
      const wallet = wallets[Math.floor(Math.random() * wallets.length)] as number
      if ((await post(wallet, 1 + Math.floor(Math.random() * 100))) !== undefined) posted += 1
    }
  }
  const ended = Promise.all(Array.from({ length: posters }, run))
  return {
    async stop() {
      running = false
      await ended
      return posted
    },
  }
}
