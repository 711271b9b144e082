import { connect, type Socket } from 'node:net'

/** One keep-alive connection that carries one request at a time. */
export interface HttpConnection {
  readonly closed: boolean
  send(request: string, onStatus: (status: number) => void): void
  close(): void
}

const HEAD_END = '\r\n\r\n'

/**
 * HTTP/1.1 as far as a load generator needs it: node:http costs as much per request as the API that is measured, on the
 * same cores. An answer without a Content-Length is an error. It reports its end, and whether a request was in flight
 * then.
 */
export function openConnection(port: number, onClosed: (underWay: boolean) => void): HttpConnection {
  const socket: Socket = connect({ host: '127.0.0.1', port, noDelay: true })
  let buffered = ''
  let onStatus: ((status: number) => void) | undefined
  socket.setEncoding('latin1') // a character a byte, so that lengths are bytes
  socket.on('data', (chunk: string) => {
    buffered = buffered === '' ? chunk : buffered + chunk
    const headEnd = buffered.indexOf(HEAD_END)
    if (headEnd < 0) return
    const length = readContentLength(buffered, headEnd)
    if (length === undefined) return void socket.destroy(new Error('an answer without a Content-Length'))
    if (buffered.length < headEnd + HEAD_END.length + length) return
    const status = Number(buffered.slice(9, 12))
    buffered = ''
    const notify = onStatus
    onStatus = undefined
    notify?.(status)
  })
  socket.once('error', () => {}) // the close event that follows reports it
  socket.once('close', () => onClosed(onStatus !== undefined))
  return {
    get closed() {
      return socket.destroyed
    },
    send: (request, notify) => {
      onStatus = notify
      socket.write(request)
    },
    close: () => socket.destroy(),
  }
}

function readContentLength(text: string, headEnd: number): number | undefined {
  const match = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, headEnd))
  return match ? Number(match[1]) : undefined
}
