import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Db } from '@streamledger/db'
import { EXPORT_TASK } from '@streamledger/events'
import Type from 'typebox'
import type { ExportFiles } from '../export-store.ts'
import { cancelExport, getExport, listExports, type RequestExportOptions, requestExport } from '../ledger/exports.ts'
import type { PageCursors } from '../ledger/page-cursor.ts'
import { createMessage } from '../plugins/trace-requests.ts'
import { answer, ref } from '../schemas/common.ts'
import {
  ExportBody,
  ExportHeaders,
  ExportList,
  ExportParams,
  ExportQuery,
  ExportView,
  isWithoutFile,
  toExportView,
} from '../schemas/export.ts'
import { BODY, problems } from '../schemas/problem.ts'
import { nextExports, readExportPage, readFilters } from './pages.ts'

export interface ExportRoutesOptions extends RequestExportOptions {
  db: Db
  files: ExportFiles
  cursors: PageCursors
}

/** By then a small export is ready; for a large one, polling this often costs little. */
const POLL_INTERVAL_S = '1'
const EXPORT_JOB = { system: 'graphile_worker', destination: EXPORT_TASK } as const

const common = { tags: ['exports'], security: [{ access_token: [] }] }

const location = { type: 'string', description: 'Path of the export.' }
const ordered = answer(ExportView, 'Ordered, by this request or by an earlier one with the same Idempotency-Key.', {
  location,
  'retry-after': { type: 'integer', minimum: 1, description: 'Seconds to wait before checking its status.' },
})
const ended = answer(
  ExportView,
  'An earlier request with the same Idempotency-Key ordered this export, and it has no file: it was cancelled, it ' +
    'failed or it expired. To order another one, use another key.',
  { location },
)

export const exportRoutes: FastifyPluginAsyncTypebox<ExportRoutesOptions> = async (app, options) => {
  const { db, files, cursors, unfinishedMax } = options
  const base = `${app.prefix}/transactions/exports`

  app.post(
    '/transactions/export',
    {
      // An export without filters needs no body. A body of `null` is refused by the schema.
      preValidation: async (request) => {
        if (request.body === undefined) request.body = {}
      },
      schema: {
        ...common,
        operationId: 'requestExport',
        summary: 'Order your history as an Excel file',
        description: 'It contains the transactions posted up to now. Without a body, it has no filters.',
        headers: ExportHeaders,
        body: ref(ExportBody),
        response: { 200: ended, 202: ordered, ...problems(...BODY, 401, 404, 422) },
      },
    },
    async (request, reply) => {
      const filters = readFilters(request.body, 'body')
      const idempotency_key = request.headers['idempotency-key']
      const order = { user_id: request.user.id, idempotency_key, ...filters }
      const row = await createMessage(request, EXPORT_JOB, (trace) =>
        requestExport(db, { ...order, trace }, { unfinishedMax }),
      )
      reply.header('location', `${base}/${row.id}`)
      // Nothing comes of it any more, so a client must not wait for it.
      if (isWithoutFile(row)) return reply.code(200).send(toExportView(row, base))
      return reply.code(202).header('retry-after', POLL_INTERVAL_S).send(toExportView(row, base))
    },
  )

  app.get(
    '/transactions/exports',
    {
      schema: {
        ...common,
        operationId: 'listExports',
        summary: 'Your exports, newest first',
        querystring: ExportQuery,
        response: { 200: answer(ExportList, 'A page.'), ...problems(401) },
      },
    },
    async (request) => {
      const page = readExportPage(cursors, request.user.id, request.query)
      const { exports, next } = await listExports(db, page)
      const next_cursor = nextExports(cursors, request.user.id, next)
      return { data: exports.map((row) => toExportView(row, base)), pagination: { next_cursor, limit: page.limit } }
    },
  )

  app.get(
    '/transactions/exports/:export_id',
    {
      schema: {
        ...common,
        operationId: 'getExport',
        summary: 'The status of an export',
        params: ExportParams,
        response: { 200: answer(ExportView, 'The export.'), ...problems(401, 404) },
      },
    },
    async (request) => toExportView(await getExport(db, request.user.id, request.params.export_id), base),
  )

  app.delete(
    '/transactions/exports/:export_id',
    {
      schema: {
        ...common,
        operationId: 'deleteExport',
        summary: 'Cancel an export, or remove a finished one with its file',
        params: ExportParams,
        response: { 204: Type.Null({ description: 'Cancelled, or removed.' }), ...problems(...BODY, 401, 404) },
      },
    },
    async (request, reply) => {
      await cancelExport(db, files, request.user.id, request.params.export_id)
      return reply.code(204).send(null)
    },
  )
}
