import { parseInOneLine } from '@streamledger/engines'

export const SUITE_NAMES = ['post', 'read', 'system', 'relay', 'export', 'idle'] as const
export type SuiteName = (typeof SUITE_NAMES)[number]

const FLAG = { type: 'boolean', default: false } as const
const OPTIONS = {
  json: { type: 'string' },
  quick: FLAG,
  'no-wrk': FLAG,
  'no-pgbench': FLAG,
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
  readonly help: boolean
}

export const USAGE = `npm run bench -- [name ...] [options]

  post      POST transactions: 1 to 256 connections, hot wallet, replays, refusals; ceiling A beside it
  read      GET wallet, and the list's first and its 10,000th page
  system    API, relay, exporter and Kafka together under load
  relay     how fast the outbox drains, how long an event takes to a consumer, take-over after a kill, a second replica
  export    a million rows as a workbook, alone, two at once, and what the API feels of it
  idle      what the services use when nobody asks for anything

  Without a name, all of them, in this order.

  --json FILE    writes the figures to FILE
  --quick        short runs over little data, to try the program out; never figures to quote
  --no-wrk       loads with autocannon even where wrk is installed
  --no-pgbench   measures ceiling A with the pg driver even where pgbench is installed
  --help         shows this`

/** @throws Error, one line, for arguments that make no sense. */
export function parseBenchArguments(args: readonly string[]): BenchArguments {
  const { values, positionals } = parseInOneLine({ args: [...args], allowPositionals: true, options: OPTIONS })
  const unknown = positionals.find((name) => !isSuiteName(name))
  if (unknown !== undefined) throw new Error(`There is no bench "${unknown}"; there are ${SUITE_NAMES.join(', ')}.`)
  return {
    suites: positionals.length === 0 ? SUITE_NAMES : SUITE_NAMES.filter((name) => positionals.includes(name)),
    quick: values.quick,
    json: values.json,
    wrk: !values['no-wrk'],
    pgbench: !values['no-pgbench'],
    help: values.help,
  }
}

function isSuiteName(name: string): name is SuiteName {
  return (SUITE_NAMES as readonly string[]).includes(name)
}
