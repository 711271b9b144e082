import type { Exit } from '@streamledger/engines'

interface EngineHandle {
  readonly pid: number
  readonly exited: Promise<Exit>
  stop(): Promise<void>
  kill(): Promise<void>
}

/** Postgres or Kafka, with the same data folder and port for all starts. */
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

  /** Sends SIGKILL to all of its processes. True if it was running and ended because of it. */
  async kill(): Promise<boolean> {
    const handle = this.#current
    if (!handle) return false
    this.#endsOnPurpose = true
    await handle.kill()
    return (await handle.exited).signal === 'SIGKILL'
  }

  /** True if it was running and shut down in order. */
  async stop(): Promise<boolean> {
    const handle = this.#current
    if (!handle) return false
    this.#endsOnPurpose = true
    await handle.stop()
    return (await handle.exited).signal !== 'SIGKILL'
  }
}
