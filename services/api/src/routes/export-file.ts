import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Db } from '@streamledger/db'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { ExportFiles } from '../ledger/export-files.ts'
import { type OpenedExport, openExportFile, XLSX } from '../ledger/open-export-file.ts'
import { ExportParams } from '../schemas/export.ts'
import { problems } from '../schemas/problem.ts'
import { readByteRange } from './byte-range.ts'

export interface ExportFileRoutesOptions {
  db: Db
  files: ExportFiles
}

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
          302: Type.Null({
            description: 'Where the file is to be had, for some minutes, if it is in S3.',
            headers: { location: { schema: { type: 'string' }, description: 'Of the file. It needs no token.' } },
          }),
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
        await closeFile(opened)
        throw error
      }
    },
  )
}

async function sendFile(request: FastifyRequest, reply: FastifyReply, opened: OpenedExport): Promise<FastifyReply> {
  const { file, filename, size, sha256 } = opened
  const etag = `"${sha256}"`
  const { range: rangeHeader, 'if-range': ifRange, 'if-none-match': ifNoneMatch } = request.headers
  reply.headers({
    etag,
    'accept-ranges': 'bytes',
    'content-disposition': `attachment; filename="${filename}"`,
  })
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, etag)) {
    await closeFile(opened)
    return reply.code(304).send()
  }
  if ('url' in file && request.method !== 'HEAD') return reply.redirect(file.url, 302)
  // A range of a file that has changed since would be glued to the wrong beginning.
  const range = ifRange === undefined || ifRange === etag ? readByteRange(rangeHeader, size) : undefined
  const length = range ? range.end - range.start + 1 : size
  reply.code(range ? 206 : 200).headers({ 'content-type': XLSX, 'content-length': length })
  if (range) reply.header('content-range', `bytes ${range.start}-${range.end}/${size}`)
  // A signed address is good for GET alone, so what HEAD asks is answered here.
  if (request.method !== 'HEAD' && 'stream' in file) return reply.send(file.stream(range))
  await closeFile(opened)
  return reply.send(Readable.from([]))
}

async function closeFile({ file }: OpenedExport): Promise<void> {
  if ('close' in file) await file.close()
}

function matches(ifNoneMatch: string, etag: string): boolean {
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
  return tags.includes('*') || tags.includes(etag)
}

function workbook(description: string) {
  return { description, content: { [XLSX]: { schema: { type: 'string', format: 'binary' } } } }
}
