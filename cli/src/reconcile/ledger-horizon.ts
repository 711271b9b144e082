import type { Topic } from '@streamledger/db'
import { partitionFor } from '@streamledger/events'
import type { Pool } from 'pg'
import { outboxPages } from '../outbox-pages.ts'
import { SequenceMap } from './sequence-map.ts'
import { WaitingRows } from './waiting-rows.ts'

/** Which events are expected. */
export interface HorizonScope {
  partitions: ReadonlySet<number>
  /** Per partition: transactions created before this time are not checked. */
  floors: ReadonlyMap<number, Date>
  /** Transactions created at this time or later are not checked. */
  until: Date | undefined
  onProgress: (wallets: number) => void
}

/** From which sequence, and up to which, each wallet's events must be in the topic. */
export interface LedgerHorizon {
  /** The last sequence of each wallet that is not checked. */
  base: SequenceMap
  /** The last sequence of each wallet that is checked: that of the wallet at the start. */
  due: SequenceMap
  /** Transactions that were in the outbox, and so are not expected in the topic yet. */
  waiting: WaitingRows
  /** The number of outbox rows of these partitions. */
  waitingRows: number
  /** When the oldest of them was created. */
  waitingSince: Date | undefined
  /** The number of transactions below the floor of each partition. */
  below: Map<number, number>
}

/** The part of the horizon that the wallets give. */
export type WalletHorizon = Pick<LedgerHorizon, 'base' | 'due' | 'below'>

interface WalletRow {
  id: number
  user_id: number
  sequence: number
  updated_at: Date
}

const WALLETS_PER_PAGE = 10_000

/**
 * Reads which events the topic must hold, while the system runs. The order makes this correct: first the wallets, then the
 * outbox, and after that the ends of the topic, which the caller reads. A transaction up to `due` that was no longer in the
 * outbox was published before the ends were read. Later transactions are not checked.
 */
export async function readHorizon(pool: Pool, topic: Topic, scope: HorizonScope): Promise<LedgerHorizon> {
  const horizon: LedgerHorizon = {
    base: new SequenceMap(),
    due: new SequenceMap(),
    waiting: new WaitingRows(),
    waitingRows: 0,
    waitingSince: undefined,
    below: new Map(),
  }
  await readWallets(pool, topic, scope, horizon)
  await readWaiting(pool, scope, horizon)
  return horizon
}

/** Reads, for each wallet, the last sequence that is not checked and the last one that is. */
export async function readWallets(
  pool: Pool,
  topic: Topic,
  scope: HorizonScope,
  horizon: WalletHorizon,
): Promise<void> {
  let after = 0
  let count = 0
  for (;;) {
    const { rows } = await pool.query<WalletRow>(
      'select id, user_id, sequence, updated_at from wallets where id > $1 order by id limit $2',
      [after, WALLETS_PER_PAGE],
    )
    const wallets = rows
      .map((row) => ({ ...row, partition: partitionFor(String(row.user_id), topic.partitions) }))
      .filter(({ partition, sequence }) => sequence > 0 && scope.partitions.has(partition))
    for (const { id, sequence } of wallets) horizon.due.set(id, sequence)
    await cutBelow(pool, wallets, scope, horizon)
    await cutAbove(pool, wallets, scope, horizon)
    count += rows.length
    scope.onProgress(count)
    const last = rows.at(-1)
    if (!last || rows.length < WALLETS_PER_PAGE) return
    after = last.id
  }
}

type PlacedWallet = WalletRow & { partition: number }

async function cutBelow(pool: Pool, wallets: PlacedWallet[], { floors }: HorizonScope, horizon: WalletHorizon) {
  const dated = wallets.flatMap((wallet) => {
    const instant = floors.get(wallet.partition)
    return instant ? [{ ...wallet, instant }] : []
  })
  const sequences = await sequencesBefore(pool, dated)
  for (const { id, partition } of dated) {
    const sequence = sequences.get(id) ?? 0
    horizon.base.set(id, sequence)
    horizon.below.set(partition, (horizon.below.get(partition) ?? 0) + sequence)
  }
}

async function cutAbove(pool: Pool, wallets: PlacedWallet[], { until }: HorizonScope, { due }: WalletHorizon) {
  if (!until) return
  const dated = wallets.map((wallet) => ({ ...wallet, instant: until }))
  for (const [id, sequence] of await sequencesBefore(pool, dated)) due.set(id, sequence)
}

/** Each wallet's last sequence before an instant. For most wallets the time of the last change is enough. */
async function sequencesBefore(pool: Pool, wallets: (WalletRow & { instant: Date })[]): Promise<Map<number, number>> {
  const sequences = new Map(wallets.map(({ id, sequence }) => [id, sequence]))
  const moved = wallets.filter(({ updated_at, instant }) => updated_at >= instant)
  if (moved.length === 0) return sequences
  const { rows } = await pool.query<{ id: number; sequence: number }>(
    `select id, sequence_before(id, instant) as sequence from unnest($1::bigint[], $2::timestamptz[]) as w (id, instant)`,
    [moved.map(({ id }) => id), moved.map(({ instant }) => instant)],
  )
  for (const { id, sequence } of rows) sequences.set(id, Math.min(sequence, sequences.get(id) ?? 0))
  return sequences
}

async function readWaiting(pool: Pool, { partitions }: HorizonScope, horizon: LedgerHorizon): Promise<void> {
  for await (const page of outboxPages(pool)) {
    for (const { value, created_at } of page.filter(({ partition }) => partitions.has(partition))) {
      horizon.waitingRows += 1
      if (!horizon.waitingSince || created_at < horizon.waitingSince) horizon.waitingSince = created_at
      const place = placeOf(value)
      if (place) horizon.waiting.add(place.wallet_id, place.sequence)
    }
  }
}

/** The wallet and sequence of an outbox row; undefined if the row does not name them. */
function placeOf(value: string | null): { wallet_id: number; sequence: number } | undefined {
  try {
    const { wallet_id, sequence } = JSON.parse(value ?? '')
    const isPlace = Number.isSafeInteger(wallet_id) && Number.isSafeInteger(sequence) && wallet_id > 0 && sequence > 0
    return isPlace ? { wallet_id, sequence } : undefined
  } catch {
    return undefined
  }
}
