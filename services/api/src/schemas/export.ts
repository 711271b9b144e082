import type { Export, ExportStatus } from '@streamledger/db'
import Type, { type Static } from 'typebox'
import { Cursor, Entry, Limit, nullable, Pagination, ref, Timestamp } from './common.ts'
import { filters } from './transaction.ts'

const EXPORT_ID = '0199a3c2-7b1e-7c55-9d0a-3f2b8e61c0d4'

export const ExportBody = Type.Object(filters, {
  $id: 'RequestExport',
  additionalProperties: false,
  examples: [{ from: '2026-01-01T00:00:00Z', to: '2026-02-01T00:00:00Z', entry: 'debit' }],
})

export const ExportHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      pattern: '^[\\x21-\\x7e]+$',
      description: 'A key of your own: the same one again, with the same body, orders nothing new.',
      examples: ['history-2026-01'],
    }),
  ),
})

/** Whatever these hold is answered: what is not understood is not there. */
export const DownloadHeaders = Type.Object({
  range: Type.Optional(
    Type.String({
      description: 'One range of bytes, as `bytes=0-99` or `bytes=100-`. Several at once: the whole file.',
    }),
  ),
  'if-range': Type.Optional(
    Type.String({ description: 'An ETag: with another than the file has, `Range` is left out of account.' }),
  ),
  'if-none-match': Type.Optional(
    Type.String({ description: 'ETags of files that you have: 304 if this is one of them.' }),
  ),
})

export const ExportParams = Type.Object({
  export_id: Type.String({
    pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$',
    description: 'The export.',
    examples: [EXPORT_ID],
  }),
})

const exampleExport = {
  ...{ export_id: EXPORT_ID, status: 'succeeded', entry: 'debit' },
  ...{ from: '2026-01-01T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z' },
  ...{ rows_done: 1_200, rows_total: 1_200, percent: 100, size: 48_213 },
  sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  file_url: `/api/v1/transactions/exports/${EXPORT_ID}/file`,
  ...{ created_at: '2026-02-01T08:00:00.000Z', finished_at: '2026-02-01T08:00:01.500Z' },
  expires_at: '2026-02-02T08:00:01.500Z',
}

const statuses: ExportStatus[] = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired']

export const ExportView = Type.Object(
  {
    export_id: Type.String({ description: 'The export, a uuid.' }),
    status: Type.Unsafe<ExportStatus>({
      ...{ type: 'string', enum: statuses },
      description: 'Its file is there while it is `succeeded`; `expired` is what it is after that.',
    }),
    entry: nullable(Entry('Only these; null means all.')),
    from: nullable(Timestamp('Posted at this instant or later.')),
    to: nullable(Timestamp('Posted before this instant.')),
    rows_done: Type.Integer({ minimum: 0, description: 'Rows that are written.' }),
    rows_total: nullable(Type.Integer({ minimum: 0, description: 'Null until it is counted.' })),
    percent: nullable(
      Type.Integer({ minimum: 0, maximum: 100, description: 'Of rows_total; null until it is counted.' }),
    ),
    size: nullable(Type.Integer({ minimum: 0, description: 'Of the file, in bytes.' })),
    sha256: nullable(Type.String({ description: 'Of the file, in hexadecimal.' })),
    file_url: nullable(Type.String({ description: 'Where the file is, once it is there.' })),
    created_at: Timestamp('When it was ordered. It holds what was posted until then.'),
    finished_at: nullable(Timestamp('When it was finished, one way or another.')),
    expires_at: nullable(Timestamp('When its file goes.')),
    problem: Type.Optional(
      Type.Object(
        {
          code: Type.String({ description: 'Of the failure, to quote.' }),
          detail: Type.String({ description: 'What to do about it.' }),
        },
        { description: 'Why it has failed.' },
      ),
    ),
  },
  {
    $id: 'Export',
    examples: [exampleExport],
  },
)

export const ExportQuery = Type.Object(
  { limit: Type.Optional(Limit), cursor: Type.Optional(Cursor) },
  { additionalProperties: false },
)

export const ExportList = Type.Object(
  { data: Type.Array(ref(ExportView)), pagination: Pagination },
  {
    $id: 'ExportList',
    examples: [{ data: [exampleExport], pagination: { next_cursor: null, limit: 50 } }],
  },
)

export const exportSchemas = [ExportBody, ExportView, ExportList]

/** The codes that the exporter leaves in exports.error are its own and many: people are told what to do. */
const FAILED = 'The workbook could not be written. Order it again; if that fails too, quote this code.'

/** `base` is the path that the exports are under. */
export function toExportView(row: Export, base: string): Static<typeof ExportView> {
  const present = row.status === 'succeeded'
  return {
    export_id: row.id,
    status: row.status,
    entry: row.entry,
    from: isoOrNull(row.from_at),
    to: isoOrNull(row.to_at),
    rows_done: row.rows_done,
    rows_total: row.rows_total,
    percent: percentOf(row),
    size: row.size,
    sha256: row.sha256,
    file_url: present ? `${base}/${row.id}/file` : null,
    created_at: row.created_at.toISOString(),
    finished_at: isoOrNull(row.finished_at),
    expires_at: isoOrNull(row.expires_at),
    ...(row.error !== null && { problem: { code: row.error, detail: FAILED } }),
  }
}

/** Rounded down: 100 is all of it. */
function percentOf({ rows_done, rows_total }: Export): number | null {
  if (rows_total === null) return null
  return rows_total === 0 ? 100 : Math.floor((100 * rows_done) / rows_total)
}

function isoOrNull(instant: Date | null): string | null {
  return instant?.toISOString() ?? null
}
