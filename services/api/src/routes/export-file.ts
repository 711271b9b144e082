import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Db } from '@streamledger/db'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { ApiError } from '../errors.ts'
import type { ByteRange, ExportFiles } from '../export-store.ts'
import { type OpenedExport, openExportFile, XLSX } from '../ledger/open-export-file.ts'
import { DownloadHeaders, ExportParams } from '../schemas/export.ts'
import { problems } from '../schemas/problem.ts'
import { recordSecurityEvent } from '../security-events.ts'
import { originOf } from './origin-of.ts'

export interface ExportFileRoutesOptions {
  db: Db
  files: ExportFiles
}

const fileHeaders = {
  etag: { type: 'string', description: 'The sha256 of the whole file, in quotes.' },
  'accept-ranges': { type: 'string', enum: ['bytes'], description: 'Range requests are supported.' },
  'content-disposition': { type: 'string', description: 'A file name to save it under.' },
  'content-length': { type: 'integer', minimum: 0, description: 'Size of the body, in bytes.' },
}
const extent = { type: 'string', description: 'Which part this is, as `bytes 0-99/200000`.' }

export const exportFileRoutes: FastifyPluginAsyncTypebox<ExportFileRoutesOptions> = async (app, { db, files }) => {
  app.get(
    '/transactions/exports/:export_id/file',
    {
      schema: {
        tags: ['exports'],
        security: [{ access_token: [] }],
        operationId: 'downloadExport',
        summary: 'Download the file of a finished export',
        description:
          'Returns the whole file or one range of it, so that an interrupted download can be resumed. If exports are ' +
          'stored in S3, redirects to the file there.',
        params: ExportParams,
        headers: DownloadHeaders,
        response: {
          200: workbook('The whole file.', fileHeaders),
          206: workbook('The requested part.', { ...fileHeaders, 'content-range': extent }),
          302: Type.Null({
            description: 'Redirect to the file in S3, valid for a few minutes.',
            headers: { location: { type: 'string', description: 'URL of the file. It needs no token.' } },
          }),
          304: Type.Null({ description: 'The client already has this file.', headers: { etag: fileHeaders.etag } }),
          ...problems(401, 404, 409, 410, 416),
        },
      },
    },
    async (request, reply) => {
      const { export_id } = request.params
      const user_id = request.user.id
      const opened = await openExportFile(db, files, user_id, export_id).catch((error) => {
        tellMissing(request, export_id, error)
        throw error
      })
      const event = { kind: 'export_downloaded', user_id, subject: export_id, origin: originOf(request) } as const
      try {
        // Recorded before the first byte is sent, so that there is no download without a record.
        return await sendFile(request, reply, { ...opened, record: () => recordSecurityEvent(db, event) })
      } catch (error) {
        await closeFile(opened)
        throw error
      }
    },
  )
}

/** The client gets a 410, which is not logged. This line tells the operator that the store lost a file. */
function tellMissing({ id, log }: FastifyRequest, export_id: string, error: unknown): void {
  if (!(error instanceof ApiError) || error.code !== 'export_file_missing') return
  log.error(
    { request_id: id, export_id },
    'the file of a finished export is not in the store: was the database restored, or was the store changed?',
  )
}

interface RecordedExport extends OpenedExport {
  record(): Promise<void>
}

async function sendFile(request: FastifyRequest, reply: FastifyReply, opened: RecordedExport): Promise<FastifyReply> {
  const { file, filename, size, sha256, record } = opened
  const etag = `"${sha256}"`
  const { range: rangeHeader, 'if-range': ifRange, 'if-none-match': ifNoneMatch } = request.headers
  // Set only on a successful answer: a browser must not save a problem under the workbook's name.
  const about = { etag, 'accept-ranges': 'bytes', 'content-disposition': `attachment; filename="${filename}"` }
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, etag)) {
    await closeFile(opened)
    return reply.code(304).headers(about).send()
  }
  const isDownload = request.method !== 'HEAD'
  if ('url' in file && isDownload) {
    await record()
    return reply.headers(about).redirect(file.url, 302)
  }
  // With another ETag in If-Range, the part would not fit the client's first part. HEAD has no ranges (RFC 9110, 14.2).
  const isRange = isDownload && (ifRange === undefined || ifRange === etag)
  const range = isRange ? readByteRange(rangeHeader, size) : undefined
  if (isDownload) await record()
  const length = range ? range.end - range.start + 1 : size
  reply.code(range ? 206 : 200).headers({ ...about, 'content-type': XLSX, 'content-length': length })
  if (range) reply.header('content-range', `bytes ${range.start}-${range.end}/${size}`)
  // A signed URL is valid for GET only, so HEAD is answered here.
  if (isDownload && 'stream' in file) return reply.send(file.stream(range))
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

function workbook(description: string, headers: object) {
  return { description, headers, content: { [XLSX]: { schema: { type: 'string', format: 'binary' } } } }
}

const ONE_RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/

/**
 * Returns the part of a file that a Range header asks for (RFC 9110, section 14), or undefined for the whole file.
 * Several ranges at once and invalid headers mean the whole file, which the standard allows.
 *
 * @throws ApiError `range_not_satisfiable`
 */
function readByteRange(header: string | undefined, size: number): ByteRange | undefined {
  const [, first = '', last = ''] = ONE_RANGE.exec(header ?? '') ?? []
  if (first === '' && last === '') return undefined
  const range =
    first === ''
      ? { start: Math.max(0, size - Number(last)), end: size - 1 }
      : { start: Number(first), end: last === '' ? size - 1 : Math.min(Number(last), size - 1) }
  if (first !== '' && last !== '' && Number(first) > Number(last)) return undefined
  if (range.start >= size)
    throw new ApiError('range_not_satisfiable', { headers: { 'content-range': `bytes */${size}` } })
  return range
}
