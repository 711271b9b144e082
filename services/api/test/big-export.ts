import { randomUUID } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pool } from 'pg'

const HOUR_MS = 3_600_000

/** A finished export whose file is larger than what the kernel takes from a server while its client reads nothing. */
export async function makeBigExport(
  pool: Pool,
  { folder, user_id, size }: { folder: string; user_id: number; size: number },
): Promise<string> {
  const file = `${randomUUID()}.xlsx`
  const handle = await open(join(folder, file), 'w')
  await handle.truncate(size)
  await handle.close()
  const { rows } = await pool.query<{ id: string }>(
    `insert into exports (wallet_id, status, as_of_sequence, rows_total, file, sha256, size, finished_at, expires_at)
     select id, 'succeeded', 0, 0, $2, 'ab', $3, now(), $4 from wallets where user_id = $1 returning id`,
    [user_id, file, size, new Date(Date.now() + HOUR_MS)],
  )
  return `/api/v1/transactions/exports/${rows[0]?.id}/file`
}
