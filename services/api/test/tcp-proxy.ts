import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to Postgres that a test can cut, close, or make silent. */
export interface TcpProxy {
  url: string
  /** Ends all connections and refuses new ones. */
  goDown(): Promise<void>
  comeUp(): Promise<void>
  /** Keeps all connections, and passes nothing on. */
  hang(): void
  /** Keeps the connections there are, silent for ever; new ones work. */
  strand(): void
  /** Passes on again what it held back. */
  release(): void
  close(): Promise<void>
}

export async function startTcpProxy(databaseUrl: string): Promise<TcpProxy> {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let hanging = false
  let down = false
  const server = createServer((client) => {
    if (down) return void client.resetAndDestroy()
    const upstream = connect(Number(target.port), target.hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
      if (hanging) socket.pause()
    }
    pipe(client, upstream)
    pipe(upstream, client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const url = new URL(databaseUrl)
  url.host = `127.0.0.1:${port}`
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  return {
    url: url.href,
    goDown: async () => {
      down = true
      cut()
    },
    comeUp: async () => {
      down = false
    },
    hang: () => {
      hanging = true
      for (const socket of sockets) socket.pause()
    },
    strand: () => {
      for (const socket of sockets) socket.pause()
    },
    release: () => {
      hanging = false
      for (const socket of sockets) socket.resume()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        cut()
      }),
  }
}

function pipe(from: Socket, to: Socket): void {
  from.on('data', (chunk) => to.write(chunk))
}
