import { parseInOneLine, parseNumber } from '@streamledger/engines'

export interface ChaosArguments {
  readonly seed: number
  /** No fault begins after this time, or after this number of faults. */
  readonly minutes: number | undefined
  readonly faults: number | undefined
  /** Maximum number of postings per second. */
  readonly rate: number
  /** The broker's compression.type: it compresses all topics with this codec, whatever the relay sends. */
  readonly compression: string
  /** A folder that is kept, and continued by later runs. */
  readonly campaign: string | undefined
  readonly json: string | undefined
  readonly verbose: boolean
  readonly help: boolean
}

const SEED_MAX = 2 ** 31 - 1
const MINUTES_MAX = 24 * 60
const FAULTS_MAX = 100_000
const RATE_MAX = 5_000
const RATE = 200
/** As Kafka names them; `producer` leaves records as the relay sends them, which is uncompressed. */
const COMPRESSIONS = ['producer', 'gzip', 'snappy', 'lz4', 'zstd']

const TEXT = { type: 'string' } as const
const FLAG = { type: 'boolean', default: false } as const
const OPTIONS = {
  ...{ seed: TEXT, minutes: TEXT, faults: TEXT, rate: TEXT, compression: TEXT, campaign: TEXT, json: TEXT },
  ...{ verbose: FLAG, help: { ...FLAG, short: 'h' } },
} as const

export const USAGE = `npm run chaos -- --seed N (--minutes M | --faults F) [options]

Starts the whole system, lets clients post, and kills, stops, restarts, cuts off and scales its processes, one fault every
few seconds, in an order that depends on the seed. Then it waits until the system has recovered, and looks for anything
that is lost, duplicated, out of order or different from what clients were answered. See tools/chaos/README.md.

  --seed N          0 to ${SEED_MAX}; the same seed gives the same faults in the same order
  --minutes M       duration of the faults; recovery and verdict take about another minute
  --faults F        number of faults
  --campaign DIR    keeps the data in DIR; the next run with the same DIR continues with the same database, the same topic
                    and the next faults, and DIR/campaign.json has the sums of all runs
  --rate R          maximum number of postings per second (${RATE})
  --compression C   the broker compresses all topics with this codec: ${COMPRESSIONS.slice(1).join(', ')}
  --json FILE       writes the result to FILE
  --verbose         prints a line for each fault
  --help            shows this

Exit code 0: nothing was found. 1: something was found, or went wrong. 130: the run was stopped.`

/** @throws Error, one line, for invalid arguments. */
export function parseChaosArguments(args: readonly string[]): ChaosArguments {
  const values = parseInOneLine({ args: [...args], options: OPTIONS }).values
  const { campaign, json, verbose, help } = values
  const parsed = {
    seed: parseNumber('seed', values.seed, { min: 0, max: SEED_MAX }),
    minutes: parseNumber('minutes', values.minutes, { min: 0.1, max: MINUTES_MAX, fractions: true }),
    faults: parseNumber('faults', values.faults, { min: 1, max: FAULTS_MAX }),
    rate: parseNumber('rate', values.rate, { min: 1, max: RATE_MAX }) ?? RATE,
    compression: parseCompression(values.compression),
  }
  if (help) return { ...parsed, seed: 0, campaign, json, verbose, help }
  if (parsed.seed === undefined) throw new Error('--seed is missing: use any number, such as --seed 1. Try --help.')
  if (parsed.minutes === undefined && parsed.faults === undefined) {
    throw new Error('--minutes or --faults is missing. Try --help.')
  }
  return { ...parsed, seed: parsed.seed, campaign, json, verbose, help }
}

function parseCompression(text = 'producer'): string {
  if (!COMPRESSIONS.includes(text))
    throw new Error(`--compression must be one of ${COMPRESSIONS.join(', ')}, not "${text}".`)
  return text
}
