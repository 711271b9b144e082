import Type, { type Static } from 'typebox'

/** The graphile-worker task that writes an export. */
export const EXPORT_TASK = 'export_transactions'

/** Maximum tries of an export. graphile-worker waits e^n seconds after try n, so five tries take about two minutes. */
export const EXPORT_ATTEMPTS_MAX = 5

/** A job's payload. */
export const ExportRequested = Type.Object({
  export_id: Type.String({ minLength: 36, maxLength: 36 }),
  // The W3C trace context of the request. Optional: it does not affect the export.
  traceparent: Type.Optional(Type.String()),
  tracestate: Type.Optional(Type.String()),
})
export type ExportRequested = Static<typeof ExportRequested>

/** The key of an export's job, so that an export has at most one job. */
export function exportJobKey(exportId: string): string {
  return `${EXPORT_TASK}:${exportId}`
}
