import { randomUUID } from 'node:crypto'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { RequestError, type RequestErrorCode } from '../request-error.ts'
import { describeFailure } from './describe-failure.ts'
import { toProblem } from './problem-details.ts'

const codes: Record<string, RequestErrorCode> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'headers_too_large',
}

/** Sends problem details for a request that could not be read (invalid, too large, too late), and closes the connection. */
export function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const failure = describeFailure(new RequestError(codes[error.code ?? ''] ?? 'malformed_request'))
  const id = randomUUID()
  const body = JSON.stringify(toProblem(failure, { id, url: '' }))
  socket.end(
    [
      `HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status]}`,
      'Connection: close',
      'Content-Type: application/problem+json',
      `X-Request-Id: ${id}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  )
}
