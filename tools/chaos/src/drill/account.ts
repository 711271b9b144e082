import type { Screen } from '@streamledger/engines'

const INDENT = ' '.repeat(11)

/** Prints what the drill does and measures, and collects failed claims. */
export class Account {
  readonly failed: string[] = []
  readonly #screen: Screen
  #claims = 0

  constructor(screen: Screen) {
    this.#screen = screen
  }

  get claims(): number {
    return this.#claims
  }

  begin(title: string): void {
    this.#screen.write(`\n── ${title}`)
  }

  tell(line: string): void {
    this.#screen.progress(line)
  }

  /** What a command wrote, as it wrote it. */
  quote(text: string): void {
    for (const line of text.trimEnd().split('\n')) this.#screen.write(`${INDENT}${line}`.trimEnd())
  }

  /** Prints a claim and whether it holds; if not, also what was found instead. */
  claim(holds: boolean, claim: string, found?: unknown): void {
    this.#claims += 1
    this.#screen.progress(`${holds ? 'holds' : 'FAILS'}  ${claim}`)
    if (holds) return
    const instead = found === undefined ? '' : `: ${typeof found === 'string' ? found : JSON.stringify(found)}`
    this.failed.push(`${claim}${instead}`)
    if (instead) this.quote(instead.slice(2))
  }
}

export const inSeconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
