import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { isReady } from '@streamledger/testkit'

export interface Target {
  url: string
  opsUrl: string
}

/** What stands before the replicas of an API, and knows of them what their readiness says. */
export interface Balancer {
  url: string
  /** New connections go to this one, too, once it is ready; to one that is not, they soon do not. */
  add(target: Target): void
  remove(target: Target): void
  close(): Promise<void>
}

const LOOK_INTERVAL_MS = 250
const LOOK_TIMEOUT_MS = 1_000

/**
 * Spreads connections as a Service of Kubernetes does: a new one goes to a replica that was ready at the last look, in
 * turn, and what is connected stays where it is. It repeats nothing and hides nothing: a replica that closes a
 * connection, or takes none, has closed or refused its client's.
 */
export async function startBalancer(): Promise<Balancer> {
  const targets = new Map<Target, { ready: boolean }>()
  const sockets = new Set<Socket>()
  let turn = 0

  const server = createServer((client) => {
    const ready = [...targets].filter(([, state]) => state.ready).map(([target]) => target)
    const target = ready[turn++ % ready.length]
    if (!target) return void client.destroy()
    const { hostname, port } = new URL(target.url)
    join(client, connect({ host: hostname, port: Number(port), noDelay: true }), sockets)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  const looking = setInterval(() => {
    for (const [target, state] of targets) {
      void isReady(target.opsUrl, LOOK_TIMEOUT_MS).then((ready) => {
        state.ready = ready
      })
    }
  }, LOOK_INTERVAL_MS)

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    add: (target) => void targets.set(target, { ready: false }),
    remove: (target) => void targets.delete(target),
    close: async () => {
      clearInterval(looking)
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Bytes, ends and breaks of the one are the other's. */
function join(client: Socket, replica: Socket, sockets: Set<Socket>): void {
  client.setNoDelay(true)
  for (const [one, other] of [
    [client, replica],
    [replica, client],
  ] as const) {
    sockets.add(one)
    one.pipe(other)
    one.on('error', () => other.destroy())
    one.on('close', () => {
      sockets.delete(one)
      if (!other.writableEnded) other.destroy()
    })
  }
}
