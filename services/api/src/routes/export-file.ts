import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Db } from '@streamledger/db'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { ExportFiles } from '../ledger/export-files.ts'
import { type OpenedExport, openExportFile } from '../ledger/open-export-file.ts'
import { ExportParams } from '../schemas/export.ts'
import { problems } from '../schemas/problem.ts'
import { readByteRange } from './byte-range.ts'

export interface ExportFileRoutesOptions {
  db: Db
  files: ExportFiles
}

const XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'

export const exportFileRoutes: FastifyPluginAsyncTypebox<ExportFileRoutesOptions> = async (app, { db, files }) => {
  app.get(
    '/transactions/exports/:export_id/file',
    {
      schema: {
        tags: ['exports'],
        security: [{ access_token: [] }],
        operationId: 'downloadExport',
        summary: 'Download the file of a finished export',
        params: ExportParams,
        response: {
          200: workbook('The whole file.'),
          206: workbook('The part that was asked for.'),
          304: Type.Null({ description: 'You have it already.' }),
          ...problems(401, 404, 409, 410, 416),
        },
      },
    },
    async (request, reply) => {
      const opened = await openExportFile(db, files, request.user.id, request.params.export_id)
      try {
        return await sendFile(request, reply, opened)
      } catch (error) {
        await opened.file.close()
        throw error
      }
    },
  )
}

async function sendFile(request: FastifyRequest, reply: FastifyReply, opened: OpenedExport): Promise<FastifyReply> {
  const { file, size, sha256, created_at } = opened
  const etag = `"${sha256}"`
  const { range: rangeHeader, 'if-range': ifRange, 'if-none-match': ifNoneMatch } = request.headers
  reply.headers({
    etag,
    'accept-ranges': 'bytes',
    'content-disposition': `attachment; filename="transactions-${created_at.toISOString().slice(0, 10)}.xlsx"`,
  })
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, etag)) {
    await file.close()
    return reply.code(304).send()
  }
  // A range of a file that has changed since would be glued to the wrong beginning.
  const range = ifRange === undefined || ifRange === etag ? readByteRange(rangeHeader, size) : undefined
  const length = range ? range.end - range.start + 1 : size
  reply.code(range ? 206 : 200).headers({ 'content-type': XLSX, 'content-length': length })
  if (range) reply.header('content-range', `bytes ${range.start}-${range.end}/${size}`)
  if (request.method !== 'HEAD') return reply.send(file.stream(range))
  await file.close()
  return reply.send(Readable.from([]))
}

function matches(ifNoneMatch: string, etag: string): boolean {
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes('*') || tags.includes(etag)
}

function workbook(description: string) {
  return { description, content: { [XLSX]: { schema: { type: 'string', format: 'binary' } } } }
}
