import { EXPORT_TASK, ExportRequested } from '@streamledger/events'
import { Check } from 'typebox/schema'

/** Checks a job's payload: an older or newer release may have queued the job. */
export function parseExportRequested(payload: unknown): ExportRequested {
  if (!Check(ExportRequested, payload)) throw new Error(`${EXPORT_TASK}: the payload must be {export_id: uuid}`)
  return payload
}
