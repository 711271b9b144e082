import { waitFor } from '@streamledger/testkit/wait-for'
import type { Replica } from '../stack/replica.ts'
import { inSeconds } from './account.ts'
import { type Drill, PATIENCE_MS } from './drill.ts'
import type { Stage } from './stage-load.ts'

const PATIENT = { timeoutMs: PATIENCE_MS }

/** Waits until `count` more orders are answered. */
export async function untilAnswered({ load }: Stage, count: number): Promise<void> {
  const goal = load.counts.answered + count
  await waitFor(() => load.counts.answered >= goal, PATIENT)
}

/** Waits until all current rows of the outbox, or those that match `where`, are in the topic. */
export async function untilPublished({ stack }: Drill, where = 'true'): Promise<void> {
  const { rows } = await stack.pool.query<{ last: number }>('select coalesce(max(id), 0) as last from outbox')
  const waiting = `select from outbox where id <= $1 and ${where} limit 1`
  await waitFor(async () => (await stack.pool.query(waiting, [rows[0]?.last])).rowCount === 0, PATIENT)
}

/** Waits until the outbox is empty and no batch is open. */
export async function untilConfirmed({ stack }: Drill): Promise<void> {
  const open = 'select from outbox union all select from relay_partitions where batch_id is not null'
  await waitFor(async () => (await stack.pool.query(open)).rowCount === 0, PATIENT)
}

export interface Mark {
  lsn: string
  time: string
  transactions: number
}

/** Reads the number of transactions and the WAL position. The lock prevents commits between the two. */
export async function readMark({ stack }: Drill): Promise<Mark> {
  const client = await stack.pool.connect()
  try {
    await client.query('begin')
    await client.query('lock table transactions in share mode')
    const { rows } = await client.query<Mark>(
      `select (select count(*)::int from transactions) as transactions,
              pg_current_wal_insert_lsn()::text as lsn, clock_timestamp()::text as time`,
    )
    return rows[0] as Mark
  } finally {
    await client.query('commit')
    client.release()
  }
}

/** Closes the current WAL segment, and waits until the archive has it. */
export async function archiveNow(drill: Drill): Promise<void> {
  const { pool } = drill.stack
  const { lsn } = await readMark(drill)
  await pool.query('select pg_switch_wal()')
  await drill.backup.untilArchived(pool, lsn)
}

export async function takeBase({ stack, backup, account }: Drill): Promise<void> {
  const { rows } = await stack.pool.query<{ transactions: number }>(
    'select count(*)::int as transactions from transactions',
  )
  const { bytes, ms } = await backup.takeBase(stack.pool)
  account.tell(
    `base backup taken while clients post: ${Math.round(bytes / 2 ** 20)} MiB with ${rows[0]?.transactions.toLocaleString('en')} transactions, in ${inSeconds(ms)}`,
  )
}

export function replicasOf({ stack }: Drill, role: Replica['role']): Replica[] {
  return [...stack.replicas.values()].filter((replica) => replica.role === role && replica.pid !== undefined)
}

export async function stopAll(replicas: readonly Replica[]): Promise<void> {
  await Promise.all(replicas.map((replica) => replica.stop()))
}

export async function startAll({ signal }: Drill, replicas: readonly Replica[]): Promise<void> {
  for (const replica of replicas) await replica.start()
  await Promise.all(replicas.map((replica) => replica.untilReady(PATIENCE_MS, signal)))
}

/** Waits until the relays have halted `count` partitions. Returns which. */
export async function untilHalted({ stack, account }: Drill, count = 1): Promise<number[]> {
  const rows = await waitFor(async () => {
    const found = await stack.pool.query<{ partition: number; halted_reason: string }>(
      'select partition, halted_reason from relay_partitions where halted_at is not null order by partition',
    )
    if (found.rows.length < count) throw new Error(`${found.rows.length} partitions are halted, not ${count}`)
    return found.rows
  }, PATIENT)
  account.tell(
    `the relay has halted partition ${rows.map(({ partition }) => partition).join(', ')}: ${rows[0]?.halted_reason}`,
  )
  return rows.map(({ partition }) => partition)
}
