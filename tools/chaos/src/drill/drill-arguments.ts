import { resolve } from 'node:path'
import { parseInOneLine, parseNumber } from '@streamledger/engines'
import { ACTS, type Act } from './acts.ts'

export interface DrillArguments {
  readonly acts: readonly Act[]
  /** Number of orders that are posted before the first act. */
  readonly history: number
  /** Maximum number of postings per second. */
  readonly rate: number
  /** The folder for data and logs; cleared at the start. */
  readonly dir: string
  readonly help: boolean
}

const HISTORY = { min: 1, max: 10_000_000, default: 1_000 }
const RATE = { min: 1, max: 5_000, default: 200 }
const TEXT = { type: 'string' } as const
const OPTIONS = {
  ...{ acts: TEXT, dir: TEXT, history: TEXT, rate: TEXT },
  help: { type: 'boolean', default: false, short: 'h' },
} as const
const DIR = resolve(import.meta.dirname, '../../../../.local/drill')
const NAMES = Object.keys(ACTS) as Act[]

export const USAGE = `npm run drill -- [options]
npm run drill -- fail-over [options]      (another drill, with Patroni; it has its own --help)

Rehearses backup and restore on its own system: takes base backups and archives the WAL of a Postgres under load, and then
restores from them. It checks everything that docs/runbook.md promises about this. The acts, in their order:

  everything   Postgres is lost, but not its WAL: restored to the end
  point        Postgres is restored to a point in time, and Kafka is ahead; the API is stopped
  running      the same, while the API keeps running
  kafka        Kafka is lost
  both         both are lost

  --acts A,B      runs only these (all)
  --history N     orders that are posted before the first act (${HISTORY.default})
  --rate R        maximum number of postings per second during the acts (${RATE.default})
  --dir DIR       folder for data and logs, which stay until the next drill (.local/drill)
  --help          shows this

Exit code 0: every claim holds. 1: a claim does not hold, or something went wrong. 130: the drill was stopped.`

/** @throws Error, one line, for invalid arguments. */
export function parseDrillArguments(args: readonly string[]): DrillArguments {
  const { acts, history, rate, dir = DIR, help } = parseInOneLine({ args: [...args], options: OPTIONS }).values
  return {
    acts: acts === undefined ? NAMES : parseActs(acts),
    history: parseNumber('history', history, HISTORY) ?? HISTORY.default,
    rate: parseNumber('rate', rate, RATE) ?? RATE.default,
    dir: resolve(dir),
    help,
  }
}

function parseActs(text: string): Act[] {
  const asked = text.split(',')
  const unknown = asked.find((name) => !NAMES.includes(name as Act))
  if (unknown !== undefined) throw new Error(`Unknown act "${unknown}" in --acts; choose from ${NAMES.join(', ')}.`)
  return NAMES.filter((name) => asked.includes(name))
}
