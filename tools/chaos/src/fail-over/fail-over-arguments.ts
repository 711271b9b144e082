import { resolve } from 'node:path'
import { parseInOneLine, parseNumber } from '@streamledger/engines'
import { TURNS, turnKinds } from './turns.ts'

export interface FailOverArguments {
  readonly seed: number
  /** Number of turns. */
  readonly times: number
  /** Maximum number of postings per second. */
  readonly rate: number
  /** The folder for data and logs; cleared at the start. */
  readonly dir: string
  /** Asynchronous replication: the primary is lost with its last commits, and what is gone is compared with the runbook. */
  readonly asynchronous: boolean
  readonly help: boolean
}

const SEED = { min: 0, max: 4_294_967_295, default: 1 }
const TIMES = { min: 1, max: 10_000, default: turnKinds.length }
const RATE = { min: 1, max: 5_000, default: 20 }
const TEXT = { type: 'string' } as const
const OPTIONS = {
  ...{ seed: TEXT, times: TEXT, rate: TEXT, dir: TEXT },
  asynchronous: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false, short: 'h' },
} as const
const DIR = resolve(import.meta.dirname, '../../../../.local/fail-over')

export const FAIL_OVER_USAGE = `npm run drill -- fail-over [options]

Fails PostgreSQL over, again and again, under load: three nodes with synchronous replication under Patroni and etcd, three Kafka
brokers, two of each service. Then it compares every answer with the ledger, and the ledger with the topic. The turns:

${turnKinds.map((kind) => `  ${kind.padEnd(17)}${TURNS[kind].what}`).join('\n')}

  --times N       number of turns; the first ${turnKinds.length} are one of each kind (${TIMES.default})
  --seed N        decides the turns (${SEED.default})
  --rate R        maximum number of postings per second (${RATE.default})
  --dir DIR       folder for data and logs, which stay until the next run (.local/fail-over)
  --asynchronous  commits wait for no standby. In each turn the primary is killed with its last commits; then the operator does
                  what the runbook says. Checks that what is lost is what reconcile and the runbook name
  --help          shows this

A turn takes about half a minute. Patroni, etcd and PostgreSQL are installed into .local with pip, once: this needs Linux and
Python 3.10. Exit code 0: nothing was found. 1: something was found, or went wrong. 130: the drill was stopped.`

/** @throws Error, one line, for invalid arguments. */
export function parseFailOverArguments(args: readonly string[]): FailOverArguments {
  const {
    seed,
    times,
    rate,
    dir = DIR,
    asynchronous,
    help,
  } = parseInOneLine({ args: [...args], options: OPTIONS }).values
  return {
    seed: parseNumber('seed', seed, SEED) ?? SEED.default,
    times: parseNumber('times', times, TIMES) ?? TIMES.default,
    rate: parseNumber('rate', rate, RATE) ?? RATE.default,
    dir: resolve(dir),
    asynchronous,
    help,
  }
}
