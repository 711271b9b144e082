import { createReadStream, createWriteStream, type WriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Answer } from './answer.ts'

/** Stores the answers to clients on disk: those of a campaign do not fit into memory. */
export class AnswerFile {
  readonly path: string
  readonly #stream: WriteStream

  constructor(path: string) {
    this.path = path
    this.#stream = createWriteStream(path, { flags: 'a' })
  }

  add(answer: Answer): void {
    this.#stream.write(`${JSON.stringify(answer)}\n`)
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.once('error', reject)
      this.#stream.end(resolve)
    })
  }
}

/** The answers of a file in pages. A last line that was cut off, when its run was killed, is left out. */
export async function* readAnswers(path: string, perPage: number): AsyncGenerator<Answer[]> {
  let page: Answer[] = []
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    const answer = parse(line)
    if (answer) page.push(answer)
    if (page.length < perPage) continue
    yield page
    page = []
  }
  if (page.length > 0) yield page
}

function parse(line: string): Answer | undefined {
  try {
    return JSON.parse(line) as Answer
  } catch {
    return undefined
  }
}
