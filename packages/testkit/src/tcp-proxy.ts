import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { createPipe, type Direction, type Pipe } from './pipe.ts'

/**
 * A proxy in front of one or more servers that a test can cut, close, slow down or make silent. A fault applies to all
 * targets, and to both directions unless one is named.
 */
export interface TcpProxy {
  /** The proxy's address for the first target, in the same form as the target: a URL, or host:port. */
  readonly address: string
  /** The proxy's addresses for all targets, in order. */
  readonly addresses: readonly string[]
  /** Ends all connections; new ones work. */
  cut(): void
  /** Ends all connections and refuses new ones. */
  goDown(): void
  comeUp(): void
  /** Keeps all connections, accepts new ones, and passes nothing on. */
  hang(direction?: Direction): void
  /** Keeps existing connections open and silent for ever; new ones work. */
  strand(): void
  /**
   * Holds the next chunk to a target that contains this text, and everything after it on its connection. The target gets
   * it at the release, even if the client is gone by then: a request that was delayed for a long time.
   */
  hold(text: string): HeldRequest
  /** Passes everything on again, including what was held back. */
  release(): void
  /** Delays each byte by this time, in order. Zero ends the delay. */
  delay(ms: number, direction?: Direction): void
  /**
   * Loses every nth answer of Postgres to a statement with the text `to`, and cuts its connection: the statement took
   * effect, and the client does not know. Zero ends it.
   */
  loseAnswers(to: string, every: number): void
  /** The number of lost answers. */
  readonly lost: number
  /** The number of connections, including those with one closed end and data still on the way. */
  readonly connections: number
  close(): Promise<void>
}

export interface HeldRequest {
  readonly isCaught: boolean
  release(): void
}

const DIRECTIONS: readonly Direction[] = ['to_target', 'to_client']

/** One connection, as a tap sees it. */
export interface TappedLink {
  pass(direction: Direction, bytes: Buffer): void
  cut(): void
  /** Holds everything that is passed to the target from now on, until `held` is released. */
  keepBack(held: Held): void
}

/** Receives all data of one connection, and decides what is passed on. */
export type Tap = Record<Direction, (chunk: Buffer) => void>

/** A Postgres URL, or any host:port. */
export function startTcpProxy(...targets: string[]): Promise<TcpProxy> {
  return startTappedProxy(targets)
}

/** `tapLink` is called for each new connection; without it, everything is passed. Port 0 is any free one. */
export async function startTappedProxy(
  targets: readonly string[],
  tapLink: (link: TappedLink) => Tap = passAll,
  port = 0,
): Promise<TcpProxy> {
  const proxy = createFaults(tapLink)
  const servers = await Promise.all(targets.map((target) => listen(target, proxy, port)))
  const addresses = servers.map(({ address }) => address)
  return {
    ...proxy.controls,
    get lost() {
      return proxy.losing.lost
    },
    get connections() {
      return proxy.links.size
    },
    address: addresses[0] ?? '',
    addresses,
    close: async () => {
      const closed = servers.map(({ server }) => new Promise((resolve) => server.close(resolve)))
      proxy.controls.cut()
      await Promise.all(closed)
    },
  }
}

const passAll = ({ pass }: TappedLink): Tap => ({
  to_target: (chunk) => pass('to_target', chunk),
  to_client: (chunk) => pass('to_client', chunk),
})

interface Link {
  client: Socket
  target: Socket
  pipes: Record<Direction, Pipe>
  isStranded: boolean
  /** The request that is held on this connection. */
  held: Held | undefined
}

export interface Held {
  isCaught: boolean
  isReleased: boolean
  /** Passes on the held data. */
  wake?: () => void
}

type Faults = ReturnType<typeof createFaults>

function createFaults(tapLink: (link: TappedLink) => Tap) {
  const links = new Set<Link>()
  const state = { isDown: false, hanging: new Set<Direction>(), delayMs: { to_target: 0, to_client: 0 } }
  const losing = { to: '', every: 0, seen: 0, lost: 0 }
  const holding = new Map<Held, string>()
  const flow = () => {
    for (const { pipes } of links) for (const direction of DIRECTIONS) pipes[direction].flow()
  }
  const cut = () => {
    for (const link of links) cutLink(link)
  }
  const toBoth = (direction: Direction | undefined) => (direction ? [direction] : DIRECTIONS)
  const controls = {
    cut,
    goDown: () => {
      state.isDown = true
      cut()
    },
    comeUp: () => {
      state.isDown = false
    },
    hang: (direction?: Direction) => {
      for (const each of toBoth(direction)) state.hanging.add(each)
    },
    strand: () => {
      for (const link of links) link.isStranded = true
    },
    hold: (text: string): HeldRequest => {
      const held: Held = { isCaught: false, isReleased: false }
      holding.set(held, text)
      return createHeldRequest(held, () => holding.delete(held))
    },
    release: () => {
      state.hanging.clear()
      for (const link of links) {
        link.isStranded = false
        if (link.held) link.held.isReleased = true
      }
      holding.clear()
      flow()
    },
    delay: (ms: number, direction?: Direction) => {
      for (const each of toBoth(direction)) state.delayMs[each] = ms
    },
    loseAnswers: (to: string, every: number) => void Object.assign(losing, { to, every }),
  }
  return { links, state, losing, holding, controls, tapLink }
}

export function createHeldRequest(held: Held, forget: () => void): HeldRequest {
  return {
    get isCaught() {
      return held.isCaught
    },
    release: () => {
      held.isReleased = true
      forget()
      held.wake?.()
    },
  }
}

function cutLink({ client, target, pipes }: Link): void {
  for (const direction of DIRECTIONS) pipes[direction].stop()
  client.destroy()
  target.destroy()
}

async function listen(target: string, faults: Faults, ownPort: number): Promise<{ server: Server; address: string }> {
  const isUrl = target.includes('://')
  const url = new URL(isUrl ? target : `tcp://${target}`)
  const { hostname, port } = url
  const server = createServer((client) => {
    if (faults.state.isDown) return void client.resetAndDestroy()
    openLink(client, connect(Number(port), hostname), faults)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(ownPort, '127.0.0.1', resolve)
  })
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return { server, address: isUrl ? url.href : url.host }
}

function openLink(client: Socket, target: Socket, faults: Faults): void {
  const { links, state, losing, holding } = faults
  const createOne = (direction: Direction, from: Socket, to: Socket): Pipe =>
    createPipe({
      ...{ from, to, delayMs: () => state.delayMs[direction] },
      isHeld: () =>
        link.isStranded ||
        state.hanging.has(direction) ||
        (direction === 'to_target' && link.held !== undefined && !link.held.isReleased),
    })
  const pipes = {
    to_target: createOne('to_target', client, target),
    to_client: createOne('to_client', target, client),
  }
  const link: Link = { client, target, pipes, isStranded: false, held: undefined }
  links.add(link)
  for (const socket of [client, target]) socket.on('error', () => {}).setNoDelay()
  // Data on its way to the remaining end passes first.
  for (const [direction, from, to] of [
    ['to_target', client, target],
    ['to_client', target, client],
  ] as const) {
    from.on('close', () => {
      if (to.closed) links.delete(link)
      else pipes[direction].end()
    })
  }
  const keepBack = (held: Held): void => {
    link.held = held
    Object.assign(held, { isCaught: true, wake: pipes.to_target.flow })
  }
  const tap = faults.tapLink({
    pass: (direction, bytes) => pipes[direction].push(bytes),
    cut: () => cutLink(link),
    keepBack,
  })
  let isAsked = false
  client.on('data', (chunk: Buffer) => {
    isAsked ||= losing.every > 0 && chunk.includes(losing.to)
    for (const [held, text] of holding) {
      if (!held.isCaught && chunk.includes(text)) keepBack(held)
    }
    tap.to_target(chunk)
  })
  target.on('data', (chunk: Buffer) => {
    if (isAsked && isDone(chunk)) {
      isAsked = false
      losing.seen += 1
      if (losing.every > 0 && losing.seen % losing.every === 0) {
        losing.lost += 1
        return cutLink(link)
      }
    }
    tap.to_client(chunk)
  })
}

/** ReadyForQuery outside of a transaction: the last message of Postgres, after the commit is durable. */
const READY = Buffer.from('Z\0\0\0\x05I', 'latin1')

const isDone = (chunk: Buffer): boolean => chunk.subarray(-READY.length).equals(READY)
