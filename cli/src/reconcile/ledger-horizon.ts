import type { Topic } from '@streamledger/db'
import { partitionFor } from '@streamledger/events'
import type { Pool } from 'pg'
import { outboxPages } from '../outbox-pages.ts'
import { SequenceMap } from './sequence-map.ts'
import { WaitingRows } from './waiting-rows.ts'

/** Of whom, and of when, events are expected. */
export interface HorizonScope {
  partitions: ReadonlySet<number>
  /** Per partition: transactions created before are not asked for. */
  floors: ReadonlyMap<number, Date>
  /** Neither are those created at this instant or later. */
  until: Date | undefined
  onProgress: (wallets: number) => void
}

/** Up to where each wallet's events must be in the topic, and from where on. */
export interface LedgerHorizon {
  /** The first sequences that are not asked for. */
  base: SequenceMap
  /** The last that is asked for: the wallet's, as it was at the start. */
  due: SequenceMap
  /** What was in the outbox, and so is not asked for. */
  waiting: WaitingRows
  /** Rows of these partitions in the outbox. */
  waitingRows: number
  /** When the oldest of them was written. */
  waitingSince: Date | undefined
  /** Transactions below the floor of each partition. */
  below: Map<number, number>
}

/** What is known once the wallets are read. */
export type WalletHorizon = Pick<LedgerHorizon, 'base' | 'due' | 'below'>

interface WalletRow {
  id: number
  user_id: number
  sequence: number
  updated_at: Date
}

const WALLETS_PER_PAGE = 10_000

/**
 * Reads what the topic must hold, from a system that is running. The order is what makes it right: first the wallets,
 * then the outbox, and only after that, by whoever calls this, the topic's ends. A transaction below `due` that was not
 * in the outbox any more has been published before the ends were read. Nothing is asked of any that came later.
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

/** Up to where each wallet's events are not asked for, and the last that is. */
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

/** Each wallet's last sequence before an instant. Most wallets rest, and their last change alone tells. */
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

/** The place of an outbox row in its wallet; undefined for one that names none. */
function placeOf(value: string | null): { wallet_id: number; sequence: number } | undefined {
  try {
    const { wallet_id, sequence } = JSON.parse(value ?? '')
    const isPlace = Number.isSafeInteger(wallet_id) && Number.isSafeInteger(sequence) && wallet_id > 0 && sequence > 0
    return isPlace ? { wallet_id, sequence } : undefined
  } catch {
    return undefined
  }
}
