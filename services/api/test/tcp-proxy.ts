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
  /**
   * From now on cuts each so-manieth connection on which the answer to such a statement has come back, and keeps the
   * answer: the statement took effect, and nobody was told. Zero for none any more.
   */
  loseAnswers(to: string, every: number): void
  /** How many answers were lost. */
  readonly lost: number
  close(): Promise<void>
}

export async function startTcpProxy(databaseUrl: string): Promise<TcpProxy> {
  const target = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  let hanging = false
  let down = false
  const losing = { to: '', every: 0, seen: 0, lost: 0 }
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
    let asked = false
    client.on('data', (chunk: Buffer) => {
      asked ||= losing.every > 0 && chunk.includes(losing.to)
      upstream.write(chunk)
    })
    upstream.on('data', (chunk: Buffer) => {
      if (asked && isDone(chunk)) {
        asked = false
        losing.seen += 1
        if (losing.every > 0 && losing.seen % losing.every === 0) {
          losing.lost += 1
          return void upstream.destroy()
        }
      }
      client.write(chunk)
    })
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
    loseAnswers: (to, every) => Object.assign(losing, { to, every }),
    get lost() {
      return losing.lost
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        cut()
      }),
  }
}

/** ReadyForQuery outside a transaction: what Postgres says last, once the commit is durable. */
const READY = Buffer.from('Z\0\0\0\x05I', 'latin1')

const isDone = (chunk: Buffer): boolean => chunk.subarray(-READY.length).equals(READY)
