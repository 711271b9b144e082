import type { Pool } from 'pg'

/** Ids per draw. A draw costs as much as a small batch; ids left over when a replica stops become a gap. */
const BLOCK = 1_000

/** keep_ids_apart() skips ids that were already used before a restore of Postgres: see decision 25. */
const DRAW = {
  name: 'draw-transaction-ids',
  text: `with apart as materialized (select keep_ids_apart())
    select nextval('transactions_id_seq') from apart, generate_series(1, $1::int)`,
}

export interface TransactionIds {
  /**
   * Returns `count` unique ids. Ids may have gaps; sequences have none. Ids that were drawn under an earlier generation
   * of the topic are discarded: after a restore, events in the topic may already have them.
   */
  take(count: number, generation: number): Promise<number[]>
}

interface Stock {
  generation: number
  free: number[]
  draw: Promise<void> | undefined
}

/** The event contains the transaction's id, so the id must be known before the row is written. */
export function createTransactionIds(pool: Pool): TransactionIds {
  let stock: Stock = { generation: 0, free: [], draw: undefined }

  function refill(own: Stock, count: number): Promise<void> {
    own.draw ??= drawIds(pool, Math.max(BLOCK, count))
      .then((ids) => {
        own.free.push(...ids)
      })
      .finally(() => {
        own.draw = undefined
      })
    return own.draw
  }

  return {
    async take(count, generation) {
      // A batch of an older generation will not be written, so it may get any ids.
      if (generation > stock.generation) stock = { generation, free: [], draw: undefined }
      const own = stock
      while (own.free.length < count) await refill(own, count)
      const taken = own.free.splice(0, count)
      // Refill early, so that the next batch does not wait. A failure is ignored here; it is thrown when no ids are
      // left.
      if (own.free.length < BLOCK / 2) refill(own, count).catch(() => {})
      return taken
    },
  }
}

async function drawIds(pool: Pool, count: number): Promise<number[]> {
  const { rows } = await pool.query<[number]>({ ...DRAW, values: [count], rowMode: 'array' })
  return rows.map(([id]) => id)
}
