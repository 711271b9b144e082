import type { Pool } from 'pg'

/** Drawn at once: a draw costs as much as a small batch, and what a stopped replica leaves over is a gap in the ids. */
const BLOCK = 1_000

const DRAW = {
  name: 'draw-transaction-ids',
  text: "select nextval('transactions_id_seq') from generate_series(1, $1::int)",
}

export interface TransactionIds {
  /** So many ids that nobody else has. Ids may have gaps; sequences have none. */
  take(count: number): Promise<number[]>
}

/** The event carries its transaction's id, so the id must be known before the row is written. */
export function createTransactionIds(pool: Pool): TransactionIds {
  const free: number[] = []
  let draw: Promise<void> | undefined

  function refill(count: number): Promise<void> {
    draw ??= drawIds(pool, Math.max(BLOCK, count))
      .then((ids) => {
        free.push(...ids)
      })
      .finally(() => {
        draw = undefined
      })
    return draw
  }

  return {
    async take(count) {
      while (free.length < count) await refill(count)
      const taken = free.splice(0, count)
      // The next batch shall not have to wait. Whoever finds none left hears of a failure.
      if (free.length < BLOCK / 2) refill(count).catch(() => {})
      return taken
    },
  }
}

async function drawIds(pool: Pool, count: number): Promise<number[]> {
  const { rows } = await pool.query<[number]>({ ...DRAW, values: [count], rowMode: 'array' })
  return rows.map(([id]) => id)
}
