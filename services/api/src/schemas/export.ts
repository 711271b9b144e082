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
      description: 'A key of your choice. The same key with the same body returns the existing export.',
      examples: ['history-2026-01'],
    }),
  ),
})

/** None of these can make a request fail: a value that is not understood is ignored. */
export const DownloadHeaders = Type.Object({
  range: Type.Optional(
    Type.String({
      description: 'One range of bytes, as `bytes=0-99` or `bytes=100-`. Several ranges return the whole file.',
    }),
  ),
  'if-range': Type.Optional(Type.String({ description: 'An ETag. If the file has another one, `Range` is ignored.' })),
  'if-none-match': Type.Optional(
    Type.String({ description: 'ETags of files that you have. If the file has one of them, the answer is 304.' }),
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
      description: 'The file can be downloaded while the status is `succeeded`. After that it is `expired`.',
    }),
    entry: nullable(Entry('Only credits, or only debits; null means both.')),
    from: nullable(Timestamp('Posted at this instant or later.')),
    to: nullable(Timestamp('Posted before this instant.')),
    rows_done: Type.Integer({ minimum: 0, description: 'Rows written so far.' }),
    rows_total: nullable(Type.Integer({ minimum: 0, description: 'Rows of the file; null until they are counted.' })),
    percent: nullable(
      Type.Integer({
        minimum: 0,
        maximum: 100,
        description: 'Share of rows_total that is written; null until it is counted.',
      }),
    ),
    size: nullable(Type.Integer({ minimum: 0, description: 'Size of the file, in bytes.' })),
    sha256: nullable(Type.String({ description: 'SHA-256 of the file, in hexadecimal.' })),
    file_url: nullable(Type.String({ description: 'Path of the file; null unless the status is `succeeded`.' })),
    created_at: Timestamp('When it was ordered. It contains the transactions posted until then.'),
    finished_at: nullable(Timestamp('When it succeeded, failed or was cancelled.')),
    expires_at: nullable(Timestamp('When its file expires.')),
    problem: Type.Optional(
      Type.Object(
        {
          code: Type.String({ description: 'Code of the failure; quote it when you ask for help.' }),
          detail: Type.String({ description: 'What to do.' }),
        },
        { description: 'Why it failed. Present only with status `failed`.' },
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

/** The exporter writes many internal codes into exports.error. Users get one text that says what to do. */
const FAILED = 'The workbook could not be written. Order it again; if that fails too, quote this code.'

/** `base` is the path of the exports. */
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

/** Whether there is no file, and there will be none. */
export const isWithoutFile = ({ status }: Pick<Export, 'status'>): boolean =>
  status === 'cancelled' || status === 'failed' || status === 'expired'

/** Rounded down, so that 100 means all rows. */
function percentOf({ rows_done, rows_total }: Export): number | null {
  if (rows_total === null) return null
  return rows_total === 0 ? 100 : Math.floor((100 * rows_done) / rows_total)
}

function isoOrNull(instant: Date | null): string | null {
  return instant?.toISOString() ?? null
}
