import type { Exit } from '@streamledger/engines'

interface EngineHandle {
  readonly pid: number
  readonly exited: Promise<Exit>
  stop(): Promise<void>
  kill(): Promise<void>
}

/** Postgres or Kafka, on one data folder and one port through all of its starts. */
export class RestartableEngine<Handle extends EngineHandle> {
  readonly name: string
  readonly #begin: () => Promise<Handle>
  readonly #onSelfExit: (line: string) => void
  #current: Handle | undefined
  #endsOnPurpose = false

  constructor(
    name: string,
    { begin, onSelfExit }: { begin: () => Promise<Handle>; onSelfExit: (line: string) => void },
  ) {
    this.name = name
    this.#begin = begin
    this.#onSelfExit = onSelfExit
  }

  get current(): Handle {
    if (!this.#current) throw new Error(`${this.name} is not running`)
    return this.#current
  }

  get isUp(): boolean {
    return this.#current !== undefined
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    this.#endsOnPurpose = false
    const handle = await this.#begin()
    this.#current = handle
    void handle.exited.then(({ code, signal }) => {
      if (this.#current === handle) this.#current = undefined
      if (!this.#endsOnPurpose) this.#onSelfExit(`${this.name} ended unexpectedly, ${signal ?? `exit code ${code}`}`)
    })
  }

  /** SIGKILL to all of its processes. True when it was there and is gone by it. */
  async kill(): Promise<boolean> {
    const handle = this.#current
    if (!handle) return false
    this.#endsOnPurpose = true
    await handle.kill()
    return (await handle.exited).signal === 'SIGKILL'
  }

  /** True when it was there and went in order. */
  async stop(): Promise<boolean> {
    const handle = this.#current
    if (!handle) return false
    this.#endsOnPurpose = true
    await handle.stop()
    return (await handle.exited).signal !== 'SIGKILL'
  }
}
