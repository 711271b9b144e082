import { sleep } from '@streamledger/runtime'

export interface Pace {
  pollMs: number
  pollIdleMs: number
  lingerMs: number
}

/** Wakes one lane when there may be rows to publish. */
export class Doorbell {
  #rung = false
  #wake: (() => void) | undefined

  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  /** Clears an earlier ring. Call it right before reading the outbox: that read sees the rows the ring was for. */
  hush(): void {
    this.#rung = false
  }

  /** Resolves when rung (an earlier ring counts), after `ms`, or when aborted. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (!this.#rung) {
      const rung = new AbortController()
      this.#wake = () => rung.abort()
      await sleep(ms, AbortSignal.any([signal, rung.signal]))
      this.#wake = undefined
    }
    this.#rung = false
  }
}

/** Delay before the next poll of the outbox: short while rows arrive, growing with the time since the last ones. */
export function pollDelayMs(quietMs: number, { pollMs, pollIdleMs }: Pace): number {
  const QUIET_SHARE = 20 // after 1 s of quiet, 50 ms
  return Math.min(pollIdleMs, Math.max(pollMs, quietMs / QUIET_SHARE))
}
