import { randomUUID } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Db } from '@streamledger/db'
import { insertFinishedExport } from './insert-finished-export.ts'

/** A finished export whose file is larger than what the kernel takes from a server while its client reads nothing. */
export async function makeBigExport(
  db: Db,
  { folder, user_id, size }: { folder: string; user_id: number; size: number },
): Promise<string> {
  const file = `${randomUUID()}.xlsx`
  const handle = await open(join(folder, file), 'w')
  await handle.truncate(size)
  await handle.close()
  const wallet = await db.selectFrom('wallets').select('id').where('user_id', '=', user_id).executeTakeFirstOrThrow()
  const id = await insertFinishedExport(db, { wallet_id: wallet.id, file, sha256: 'ab', size })
  return `/api/v1/transactions/exports/${id}/file`
}
