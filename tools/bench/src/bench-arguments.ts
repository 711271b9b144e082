import { parseInOneLine } from '@streamledger/engines'

const SUITE_NAMES = ['post', 'read', 'system', 'relay', 'export', 'idle', 'growth'] as const
export type SuiteName = (typeof SUITE_NAMES)[number]
/** All suites but growth, which takes an hour and twenty gigabytes and only runs if named. */
export const USUAL_SUITES: readonly SuiteName[] = SUITE_NAMES.filter((name) => name !== 'growth')

const FLAG = { type: 'boolean', default: false } as const
const OPTIONS = {
  json: { type: 'string' },
  quick: FLAG,
  'no-wrk': FLAG,
  'no-pgbench': FLAG,
  sizes: { type: 'string' },
  keep: { type: 'string' },
  'seed-only': FLAG,
  help: { ...FLAG, short: 'h' },
} as const

export type BenchArguments = {
  /** In the order in which they run. */
  readonly suites: readonly SuiteName[]
  readonly quick: boolean
  /** The file for the figures, as JSON. */
  readonly json: string | undefined
  readonly wrk: boolean
  readonly pgbench: boolean
  /** Sizes for growth, in transactions, ascending; undefined: those of the pace. */
  readonly sizes: readonly number[] | undefined
  /** The folder in which growth keeps its databases for later runs. */
  readonly keep: string | undefined
  readonly seedOnly: boolean
  readonly help: boolean
}

export const USAGE = `npm run bench -- [name ...] [options]

  post      POST transactions: 1 to 256 connections, hot wallet, replays, refusals; ceiling A beside it
  read      GET wallet, and the first and the 10,000th page of the list
  system    API, relay, exporter and Kafka together under load
  relay     drain rate of the outbox, time from commit to consumer, take-over after a kill, a second replica
  export    a million rows as a workbook: one export, two at once, and the effect on the API
  idle      CPU and memory of the services without requests
  growth    postings and pages with 1, 10 and 50 million transactions in the table; only if named

  Without a name: all except growth, in this order.

  --json FILE    writes the figures to FILE
  --quick        short runs over little data, to test the program; the figures mean nothing
  --no-wrk       uses autocannon even if wrk is installed
  --no-pgbench   measures ceiling A with the pg driver even if pgbench is installed
  --sizes N,N    growth: numbers of transactions in the table, instead of 1000000,10000000,50000000
  --keep DIR     growth: keeps a database of each size in DIR, and reuses those of earlier runs
  --seed-only    growth: only writes the databases that are missing in --keep, and measures nothing
  --help         shows this`

/** @throws Error, one line, for invalid arguments. */
export function parseBenchArguments(args: readonly string[]): BenchArguments {
  const { values, positionals } = parseInOneLine({ args: [...args], allowPositionals: true, options: OPTIONS })
  const unknown = positionals.find((name) => !isSuiteName(name))
  if (unknown !== undefined) throw new Error(`Unknown bench "${unknown}"; choose from ${SUITE_NAMES.join(', ')}.`)
  if (values['seed-only'] && values.keep === undefined)
    throw new Error('--seed-only needs --keep: it only writes databases that are kept.')
  return {
    suites: positionals.length === 0 ? USUAL_SUITES : SUITE_NAMES.filter((name) => positionals.includes(name)),
    quick: values.quick,
    json: values.json,
    wrk: !values['no-wrk'],
    pgbench: !values['no-pgbench'],
    sizes: values.sizes === undefined ? undefined : parseSizes(values.sizes),
    keep: values.keep,
    seedOnly: values['seed-only'],
    help: values.help,
  }
}

function parseSizes(text: string): number[] {
  const sizes = text.split(',').map(Number)
  const rising = sizes.every((size, index) => Number.isSafeInteger(size) && size > (sizes[index - 1] ?? 0))
  if (!rising) throw new Error('--sizes must be ascending whole numbers, such as 1000000,10000000.')
  return sizes
}

function isSuiteName(name: string): name is SuiteName {
  return (SUITE_NAMES as readonly string[]).includes(name)
}
