import { write, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { Writable } from 'node:stream'

/** Lines are written together: a write costs more than the lines in it. */
const CHUNK_LENGTH = 4_096
/** Also the time whose lines a kill -9 takes along. */
const FLUSH_AFTER_MS = 10
const RETRY_INTERVAL_MS = 500
/** What may wait for a slow reader or a full disk: about 15,000 lines. */
const WAITING_LENGTH_MAX = 4 * 1024 * 1024

let dropped = 0

/** How many log lines of this process were not written. */
export const countDroppedLines = (): number => dropped

/**
 * Takes log lines, and never waits for where they go: a service must serve and end although its log cannot be written. A
 * line that finds too many lines waiting is dropped and counted.
 */
export class LogSink {
  readonly #fd: 1 | 2
  readonly #stream: Writable
  readonly #onFlushed: (() => void)[] = []
  #chunk = ''
  #lines = 0

  constructor(fd: 1 | 2) {
    this.#fd = fd
    this.#stream = openStream(fd)
    process.on('exit', () => this.flushSync())
  }

  write(line: string): void {
    if (this.#chunk.length + this.#stream.writableLength > WAITING_LENGTH_MAX) {
      dropped += 1
      return
    }
    if (this.#chunk === '') setTimeout(() => this.#pass(), FLUSH_AFTER_MS).unref()
    this.#chunk += line
    this.#lines += 1
    if (this.#chunk.length >= CHUNK_LENGTH) this.#pass()
  }

  /** Calls back when all lines up to now are written or dropped: perhaps never. */
  flush(onFlushed: () => void): void {
    this.#pass()
    if (this.#stream.writableLength === 0) onFlushed()
    else this.#onFlushed.push(onFlushed)
  }

  /** Writes what can be written at once: pino calls it after a fatal line, and no event loop follows an exit. */
  flushSync(): void {
    // A socket takes at once what it has room for. A file that is behind is in trouble, or being written by a thread.
    if (!(this.#stream instanceof Socket) && this.#stream.writableLength === 0) this.#writeFile()
    this.#pass()
  }

  #writeFile(): void {
    let rest = Buffer.from(this.#chunk)
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(this.#fd, rest))
    } catch {
      // The stream tries again.
    }
    this.#chunk = rest.toString()
  }

  #pass(): void {
    if (this.#chunk === '') return
    const lines = this.#lines
    this.#stream.write(this.#chunk, (error) => {
      if (error) dropped += lines
      if (this.#stream.writableLength > 0) return
      for (const onFlushed of this.#onFlushed.splice(0)) onFlushed()
    })
    this.#chunk = ''
    this.#lines = 0
  }
}

function openStream(fd: 1 | 2): Writable {
  const stream: Writable = fd === 1 ? process.stdout : process.stderr
  if (!(stream instanceof Socket)) return openFile(fd)
  // The reader is gone. The callbacks of the writes count the lines.
  stream.on('error', () => {})
  // Node writes to a terminal synchronously, and would wait there for a user who has stopped the output.
  const { _handle: handle } = stream as { _handle?: { setBlocking?(blocking: boolean): void } }
  handle?.setBlocking?.(false)
  return stream
}

/**
 * A file, written by a thread. Pipes and terminals are never written so: a thread that waits for their reader cannot be
 * stopped, and Node waits for its threads at its exit.
 */
function openFile(fd: number): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      write(fd, chunk, (error, written) => {
        const rest = error ? chunk : chunk.subarray(written)
        if (rest.length === 0) return done()
        // The disk is full, or the file may not grow. The lines stay whole, because the rest is kept.
        if (error) setTimeout(() => this._write(rest, _encoding, done), RETRY_INTERVAL_MS).unref()
        else this._write(rest, _encoding, done)
      })
    },
  })
}
