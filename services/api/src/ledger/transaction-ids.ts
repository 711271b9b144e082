import type { Pool } from 'pg'

/** Drawn at once: a draw costs as much as a small batch, and what a stopped replica leaves over is a gap in the ids. */
const BLOCK = 1_000

/** Not those that a Postgres which was restored has handed out before: see decision 25. */
const DRAW = {
  name: 'draw-transaction-ids',
  text: `with apart as materialized (select keep_ids_apart())
    select nextval('transactions_id_seq') from apart, generate_series(1, $1::int)`,
}

export interface TransactionIds {
  /**
   * So many ids that nobody else has. Ids may have gaps; sequences have none. Those that were drawn under an earlier
   * generation of the topic are thrown away: after a restore, the topic's events may have them.
   */
  take(count: number, generation: number): Promise<number[]>
}

interface Stock {
  generation: number
  free: number[]
  draw: Promise<void> | undefined
}

/** The event carries its transaction's id, so the id must be known before the row is written. */
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
      // A batch of an older generation is not written any more, whatever its ids are.
      if (generation > stock.generation) stock = { generation, free: [], draw: undefined }
      const own = stock
      while (own.free.length < count) await refill(own, count)
      const taken = own.free.splice(0, count)
      // The next batch shall not have to wait. Whoever finds none left hears of a failure.
      if (own.free.length < BLOCK / 2) refill(own, count).catch(() => {})
      return taken
    },
  }
}

async function drawIds(pool: Pool, count: number): Promise<number[]> {
  const { rows } = await pool.query<[number]>({ ...DRAW, values: [count], rowMode: 'array' })
  return rows.map(([id]) => id)
}
