import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { waitFor } from '@streamledger/testkit/wait-for'
import type { PatroniNode } from './patroni-cluster.ts'

const EVERY_MS = 500
const TIMEOUT_MS = 1_000
/** A node is taken out after so many checks in a row without success. */
const FALL = 2

/**
 * What HAProxy does with the configuration from Patroni's documentation: it asks each node's `/primary` again and again, passes
 * connections to the node that answers 200, and ends the connections to a node that no longer does.
 */
export class PrimaryProxy implements AsyncDisposable {
  readonly #nodes: readonly PatroniNode[]
  readonly #fails = new Map<PatroniNode, number>()
  readonly #links = new Map<Socket, PatroniNode>()
  readonly #server = createServer((client) => this.#open(client))
  readonly #closing = new AbortController()
  readonly #checking: Promise<unknown>

  private constructor(nodes: readonly PatroniNode[]) {
    this.#nodes = nodes
    for (const node of nodes) this.#fails.set(node, FALL)
    this.#checking = Promise.all(nodes.map((node) => this.#check(node)))
  }

  static async start(nodes: Iterable<PatroniNode>): Promise<PrimaryProxy> {
    const proxy = new PrimaryProxy([...nodes])
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Resolves when there is a primary. */
  async untilOpen(): Promise<void> {
    await waitFor(() => this.#nodes.some((node) => this.#isUp(node)))
  }

  #isUp(node: PatroniNode): boolean {
    return (this.#fails.get(node) ?? FALL) < FALL
  }

  async #check(node: PatroniNode): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const fails = (await isPrimary(node)) ? 0 : (this.#fails.get(node) ?? 0) + 1
      this.#fails.set(node, fails)
      if (fails === FALL) this.#cut(node)
      await delay(EVERY_MS, undefined, { signal: this.#closing.signal }).catch(() => {})
    }
  }

  #open(client: Socket): void {
    const node = this.#nodes.find((each) => this.#isUp(each))
    client.on('error', () => {})
    if (!node) return void client.resetAndDestroy()
    const [host = '', port] = node.postgres.split(':')
    const target = connect(Number(port), host).on('error', () => {})
    this.#links.set(client, node)
    client.once('close', () => {
      this.#links.delete(client)
      target.destroy()
    })
    target.once('close', () => client.destroy())
    client.pipe(target).pipe(client)
  }

  #cut(node: PatroniNode): void {
    for (const [client, target] of this.#links) if (target === node) client.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await this.#checking
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const node of this.#nodes) this.#cut(node)
    await closed
  }
}

async function isPrimary({ rest }: PatroniNode): Promise<boolean> {
  try {
    const response = await fetch(`${rest}/primary`, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    await response.body?.cancel()
    return response.status === 200
  } catch {
    return false
  }
}
