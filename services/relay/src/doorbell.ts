import { sleep } from '@streamledger/runtime'

export interface Pace {
  pollMs: number
  pollIdleMs: number
  lingerMs: number
}

/** One lane's bell: it rings when there may be something to do. */
export class Doorbell {
  #rung = false
  #wake: (() => void) | undefined

  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  /** Forgets a ring: whoever looks now sees what it was about. */
  hush(): void {
    this.#rung = false
  }

  /** Resolves when rung, also if that was before; after `ms` at the latest, or when aborted. */
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

/** How long to wait before the outbox is asked again: soon while rows come, ever longer while none do. */
export function pollDelayMs(quietMs: number, { pollMs, pollIdleMs }: Pace): number {
  const QUIET_SHARE = 20 // after 1 s of quiet, 50 ms
  return Math.min(pollIdleMs, Math.max(pollMs, quietMs / QUIET_SHARE))
}
