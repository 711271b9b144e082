import type { Db } from '@streamledger/db'

const HOUR_MS = 3_600_000

export interface FinishedExport {
  wallet_id: number
  file: string
  sha256: string
  size: number
  expires_at?: Date | undefined
}

/** An export as the exporter leaves it, but for its file. Returns its id. */
export async function insertFinishedExport(
  db: Db,
  { expires_at = new Date(Date.now() + HOUR_MS), ...finished }: FinishedExport,
): Promise<string> {
  const { id } = await db
    .insertInto('exports')
    .values({
      ...{ status: 'succeeded', as_of_sequence: 0, rows_total: 0, finished_at: new Date(), expires_at },
      ...finished,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}
