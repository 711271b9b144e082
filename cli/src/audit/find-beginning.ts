import type { Topic } from '@streamledger/db'
import type { Pool } from 'pg'
import { readWallets, type WalletHorizon } from '../reconcile/ledger-horizon.ts'
import { SequenceMap } from '../reconcile/sequence-map.ts'
import type { TopicLog } from '../reconcile/topic-log.ts'
import { findStarts } from '../reconcile/topic-range.ts'

export interface Beginning {
  /** Per partition, the first offset to read. */
  positions: ReadonlyMap<number, number>
  /** The last sequence of each wallet that the audit does not check. */
  floors: SequenceMap
}

/** Finds where an audit begins: with what was posted at `since` or later, or without it with what is posted from now on. */
export async function findBeginning(
  { pool, log, topic }: { pool: Pool; log: TopicLog; topic: Topic },
  since: Date | undefined,
): Promise<Beginning> {
  const horizon: WalletHorizon = { base: new SequenceMap(), due: new SequenceMap(), below: new Map() }
  const starts = since && (await findStarts(log, topic, { since, until: undefined, partition: undefined }))
  // First the ends of the topic, then the wallets: an event above a wallet's floor then lies behind the position.
  const positions = new Map<number, number>(
    starts
      ? starts.map(({ partition, from }) => [partition, from])
      : (await log.ranges()).map(({ partition, end }) => [partition, end]),
  )
  const floors = starts?.flatMap(({ partition, floor }) => (floor ? [[partition, floor] as const] : []))
  await readWallets(
    pool,
    topic,
    { partitions: new Set(positions.keys()), floors: new Map(floors), until: undefined, onProgress: () => {} },
    horizon,
  )
  return { positions, floors: starts ? horizon.base : horizon.due }
}
