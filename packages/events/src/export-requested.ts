import Type, { type Static } from 'typebox'

/** The graphile-worker task that writes an export. */
export const EXPORT_TASK = 'export_transactions'

/** How often an export is tried; graphile-worker's waits grow as e^n seconds, so five tries take about two minutes. */
export const EXPORT_ATTEMPTS_MAX = 5

/** A job's payload. */
export const ExportRequested = Type.Object({
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
