import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A connection where the test decides each byte, and when it is sent. */
export interface RawConnection {
  readonly socket: Socket
  /** The bytes received so far. */
  readonly received: string
  /** Resolves when either side has closed it. */
  readonly closed: Promise<void>
}

export async function openConnection(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let received = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text
  })
  socket.on('error', () => {}) // a reset is one way to be closed
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  await once(socket, 'connect')
  return {
    socket,
    closed,
    get received() {
      return received
    },
  }
}

/** A request as it goes over the wire. */
export function formatRequest(method: string, path: string, { token = '', body = '' } = {}): string {
  return [
    `${method} ${path} HTTP/1.1`,
    'Host: localhost',
    ...(token === '' ? [] : [`Authorization: Bearer ${token}`]),
    ...(body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`]),
    '',
    body,
  ].join('\r\n')
}
