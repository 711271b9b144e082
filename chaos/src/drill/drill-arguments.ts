import { resolve } from 'node:path'
import { parseInOneLine, parseNumber } from '@streamledger/engines'
import { ACTS, type Act } from './acts.ts'

export interface DrillArguments {
  readonly acts: readonly Act[]
  /** Orders that are posted before anything is lost. */
  readonly history: number
  /** Postings a second, at most. */
  readonly rate: number
  /** Everything of the drill: it is cleared at its start. */
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
const DIR = resolve(import.meta.dirname, '../../../.local/drill')
const NAMES = Object.keys(ACTS) as Act[]

export const USAGE = `npm run drill -- [options]

Backup and restore, rehearsed on a system of its own: base backups and archived WAL of a Postgres that is under load, and
then what they are for. Everything that docs/runbook.md promises of it is claimed, and looked at. The acts, in their order:

  everything   Postgres is lost, its WAL is not: back to the very end
  point        Postgres goes back to a point in time while Kafka is ahead, with the API stopped
  running      the same, and nobody stops the API
  kafka        Kafka is lost
  both         both are lost

  --acts A,B      only these (all)
  --history N     orders that are posted before the first one (${HISTORY.default})
  --rate R        postings a second during the acts, at most (${RATE.default})
  --dir DIR       data and logs, which stay until the next drill (.local/drill)
  --help          shows this

Exit code 0: every claim holds. 1: one does not, or something went wrong. 130: it was stopped.`

/** @throws Error, one line, for arguments that make no sense. */
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
  if (unknown !== undefined) throw new Error(`--acts has no "${unknown}"; there are ${NAMES.join(', ')}.`)
  return NAMES.filter((name) => asked.includes(name))
}
