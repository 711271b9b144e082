import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What the proxy does with one request. */
export type Mishap =
  | 'none'
  /** The connection breaks before the API has the request. */
  | 'lost'
  /** The API executes the request, and the connection breaks before the answer. */
  | 'unanswered'
  /** The API executes the request, and the answer never comes: the connection stays open. */
  | 'silent'
  /** The API executes the request, and its answer stops in the middle: the connection stays open. */
  | 'stalled'
  /** The proxy answers 503 itself. */
  | 'busy'

/** A proxy to the API that makes requests fail: `next` decides for each request. */
export interface UnreliableWay {
  url: string
  next: (path: string) => Mishap
  close(): Promise<void>
}

export async function startUnreliableWay(target: string): Promise<UnreliableWay> {
  const server = createServer((incoming, outgoing) => {
    const mishap = way.next(incoming.url ?? '')
    if (mishap === 'lost') return void incoming.socket.destroy()
    if (mishap === 'busy') return void outgoing.writeHead(503, { 'retry-after': '0' }).end('try later')
    pass(target, incoming, outgoing, mishap)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const way: UnreliableWay = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    next: () => 'none',
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return way
}

function pass(target: string, incoming: IncomingMessage, outgoing: ServerResponse, mishap: Mishap): void {
  const { method, headers } = incoming
  const forwarded = request(`${target}${incoming.url}`, { method, headers }, (answer) => {
    if (mishap === 'none') {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(outgoing)
      return
    }
    if (mishap === 'stalled') {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.once('data', (chunk: Buffer) => outgoing.write(chunk.subarray(0, chunk.length / 2)))
      return
    }
    answer.resume()
    if (mishap === 'unanswered') incoming.socket.destroy()
  })
  incoming.pipe(forwarded)
}
