import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'

/** The graphile-worker task that writes an export. */
export const EXPORT_TASK = 'export_transactions'

const ExportRequested = Type.Object({ export_id: Type.String({ minLength: 36, maxLength: 36 }) })
export type ExportRequested = Static<typeof ExportRequested>

/** Checks a job's payload: a job may be older, or newer, than this code. */
export function parseExportRequested(payload: unknown): ExportRequested {
  if (!Value.Check(ExportRequested, payload)) throw new Error(`${EXPORT_TASK}: the payload must be {export_id: uuid}`)
  return payload
}
