import type { Socket } from 'node:net'

/** From the client to the target, or from the target to the client. */
export type Direction = 'to_target' | 'to_client'

export interface PipeOptions {
  from: Socket
  to: Socket
  /** Whether the pipe is blocked. Checked again when `flow` is called. */
  isHeld(): boolean
  delayMs(): number
}

/** One direction of a connection. */
export interface Pipe {
  push(chunk: Buffer): void
  /** Ends the receiving side after all earlier bytes have passed. */
  end(): void
  /** Passes on the bytes that are due. */
  flow(): void
  stop(): void
}

/** The capacity of a pipe. When it is full, the sender must wait. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024

/** Passes bytes on in order, each at its time. The end of the connection is kept in order too. */
export function createPipe({ from, to, isHeld, delayMs }: PipeOptions): Pipe {
  const waiting: { chunk?: Buffer; dueAt: number }[] = []
  let waitingBytes = 0
  let timer: NodeJS.Timeout | undefined

  function flow(): void {
    clearTimeout(timer)
    for (let head = waiting[0]; head && !isHeld(); head = waiting[0]) {
      const waitMs = head.dueAt - performance.now()
      if (waitMs > 0) {
        timer = setTimeout(flow, Math.ceil(waitMs))
        break
      }
      waiting.shift()
      waitingBytes -= head.chunk?.length ?? 0
      if (to.destroyed) continue
      if (head.chunk) to.write(head.chunk)
      else to.end()
    }
    if (waitingBytes > WAITING_BYTES_MAX || to.writableNeedDrain) from.pause()
    else from.resume()
  }

  function enter(chunk?: Buffer): void {
    waiting.push({ ...(chunk ? { chunk } : {}), dueAt: performance.now() + delayMs() })
    waitingBytes += chunk?.length ?? 0
    flow()
  }

  to.on('drain', flow)
  return { push: enter, end: () => enter(), flow, stop: () => clearTimeout(timer) }
}
