import { parseInOneLine } from '@streamledger/engines'

const SUITE_NAMES = ['post', 'read', 'system', 'relay', 'export', 'idle', 'growth'] as const
export type SuiteName = (typeof SUITE_NAMES)[number]
/** Growth takes an hour and twenty gigabytes: it is for those who ask for it. */
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
  /** Where the figures go, as JSON. */
  readonly json: string | undefined
  readonly wrk: boolean
  readonly pgbench: boolean
  /** Of growth, in transactions, from small to large; undefined for the pace's own. */
  readonly sizes: readonly number[] | undefined
  /** Where growth keeps its databases, for another run to find them. */
  readonly keep: string | undefined
  readonly seedOnly: boolean
  readonly help: boolean
}

export const USAGE = `npm run bench -- [name ...] [options]

  post      POST transactions: 1 to 256 connections, hot wallet, replays, refusals; ceiling A beside it
  read      GET wallet, and the list's first and its 10,000th page
  system    API, relay, exporter and Kafka together under load
  relay     how fast the outbox drains, how long an event takes to a consumer, take-over after a kill, a second replica
  export    a million rows as a workbook, alone, two at once, and what the API feels of it
  idle      what the services use when nobody asks for anything
  growth    postings and pages with 1, 10 and 50 million transactions in the table; only when it is named

  Without a name, all of them but growth, in this order.

  --json FILE    writes the figures to FILE
  --quick        short runs over little data, to try the program out; never figures to quote
  --no-wrk       loads with autocannon even where wrk is installed
  --no-pgbench   measures ceiling A with the pg driver even where pgbench is installed
  --sizes N,N    growth: how many transactions there are in the table, instead of 1000000,10000000,50000000
  --keep DIR     growth: keeps a database of each size in DIR, and finds there what an earlier run has written
  --seed-only    growth: only writes the databases that --keep does not have yet, and measures nothing
  --help         shows this`

/** @throws Error, one line, for arguments that make no sense. */
export function parseBenchArguments(args: readonly string[]): BenchArguments {
  const { values, positionals } = parseInOneLine({ args: [...args], allowPositionals: true, options: OPTIONS })
  const unknown = positionals.find((name) => !isSuiteName(name))
  if (unknown !== undefined) throw new Error(`There is no bench "${unknown}"; there are ${SUITE_NAMES.join(', ')}.`)
  if (values['seed-only'] && values.keep === undefined)
    throw new Error('--seed-only needs --keep: it writes nothing else.')
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
  if (!rising) throw new Error('--sizes wants whole numbers that rise, as in 1000000,10000000.')
  return sizes
}

function isSuiteName(name: string): name is SuiteName {
  return (SUITE_NAMES as readonly string[]).includes(name)
}
