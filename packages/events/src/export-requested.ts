import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'

/** The graphile-worker task that writes an export. */
export const EXPORT_TASK = 'export_transactions'

/** How often an export is tried; graphile-worker's waits grow as e^n seconds, so five tries take about two minutes. */
export const EXPORT_ATTEMPTS_MAX = 5

const ExportRequested = Type.Object({
  export_id: Type.String({ minLength: 36, maxLength: 36 }),
  // The W3C trace context of whoever ordered it: nothing depends on it.
  traceparent: Type.Optional(Type.String()),
  tracestate: Type.Optional(Type.String()),
})
export type ExportRequested = Static<typeof ExportRequested>

/** The key of an export's job: an export has one job at a time. */
export function exportJobKey(exportId: string): string {
  return `${EXPORT_TASK}:${exportId}`
}

/** Checks a job's payload: a job may be older, or newer, than this code. */
export function parseExportRequested(payload: unknown): ExportRequested {
  if (!Value.Check(ExportRequested, payload)) throw new Error(`${EXPORT_TASK}: the payload must be {export_id: uuid}`)
  return payload
}
