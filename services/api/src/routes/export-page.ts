import { ApiError } from '../errors.ts'
import type { ExportPageRequest, ExportPosition } from '../ledger/list-exports.ts'
import type { PageCursors } from '../ledger/page-cursor.ts'
import { PAGE_LIMIT } from '../schemas/common.ts'

const LIST = 'exports'

/** @throws ApiError `invalid_request` for a cursor of another list or user */
export function readExportPage(
  cursors: PageCursors,
  user_id: number,
  { limit = PAGE_LIMIT, cursor }: { limit?: number; cursor?: string },
): ExportPageRequest {
  if (cursor === undefined) return { user_id, limit }
  const position = cursors.open(LIST, user_id, cursor) as { created_at: string; id: string } | undefined
  if (!position)
    throw new ApiError('invalid_request', {
      errors: [{ in: 'query', pointer: '/cursor', reason: 'was not made for this list' }],
    })
  return { user_id, limit, before: { id: position.id, created_at: new Date(position.created_at) } }
}

export function nextExports(cursors: PageCursors, user_id: number, next: ExportPosition | undefined): string | null {
  return next ? cursors.seal(LIST, user_id, { id: next.id, created_at: next.created_at }) : null
}
