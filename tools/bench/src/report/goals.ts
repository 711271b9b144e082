import type { SuiteName } from '../bench-arguments.ts'
import type { Measurement } from '../suite.ts'

export interface GoalVerdict {
  goal: string
  wanted: string
  /** Undefined where a figure is missing. */
  measured: number | undefined
  unit: string
  met: boolean | undefined
}

type Find = (name: string, figure: string) => number | undefined

interface Goal {
  readonly suite: SuiteName
  readonly goal: string
  readonly unit: string
  readonly bound: { readonly atLeast: number } | { readonly atMost: number }
  readonly measure: (find: Find) => number | undefined
}

/** GET wallet of the program that this one replaces, at 64 connections on a machine of two cores. */
const PEER_WALLET_RATE = 6_080

const figure = (name: string, of: string) => (find: Find) => find(name, of)
const ratio =
  (above: readonly [name: string, figure: string], below: readonly [name: string, figure: string]) => (find: Find) => {
    const [dividend, divisor] = [find(...above), find(...below)]
    return dividend === undefined || divisor === undefined ? undefined : dividend / divisor
  }

const POST: readonly Goal[] = [
  {
    ...{ suite: 'post', goal: 'POST at 64 connections / ceiling A', unit: 'x', bound: { atLeast: 1.3 } },
    measure: ratio(['uniform, 64', 'rate'], ['ceiling A, 64', 'rate']),
  },
  {
    ...{ suite: 'post', goal: 'POST at 256 connections / ceiling A', unit: 'x', bound: { atLeast: 1.8 } },
    measure: ratio(['uniform, 256', 'rate'], ['ceiling A, 64', 'rate']),
  },
  {
    ...{ suite: 'post', goal: 'one hot wallet / ceiling A on one wallet', unit: 'x', bound: { atLeast: 10 } },
    measure: ratio(['hot wallet, 64', 'rate'], ['ceiling A hot, 64', 'rate']),
  },
  {
    ...{ suite: 'post', goal: 'one hot wallet, two replicas / one', unit: 'x', bound: { atLeast: 0.7 } },
    measure: ratio(['hot wallet, 2 replicas', 'rate'], ['hot wallet, 64', 'rate']),
  },
  {
    ...{ suite: 'post', goal: 'one connection, p50 / a bare commit', unit: 'x', bound: { atMost: 3 } },
    measure: ratio(['uniform, 1', 'p50'], ['bare commit, 1', 'p50']),
  },
]

const READ: readonly Goal[] = [
  {
    ...{ suite: 'read', goal: 'GET wallet / the same of the program it replaces', unit: 'x', bound: { atLeast: 2 } },
    measure: (find) => {
      const rate = find('wallet, 64', 'rate')
      return rate === undefined ? undefined : rate / PEER_WALLET_RATE
    },
  },
  {
    ...{ suite: 'read', goal: 'list of 20, first pages of 1,000 users', unit: '/s', bound: { atLeast: 5_000 } },
    measure: figure('list, 1000 users, 64', 'rate'),
  },
  {
    ...{ suite: 'read', goal: 'list of 20, first page', unit: '/s', bound: { atLeast: 5_000 } },
    measure: figure('list, first page, 64', 'rate'),
  },
  {
    ...{ suite: 'read', goal: 'list of 20, deep page', unit: '/s', bound: { atLeast: 5_000 } },
    measure: figure('list, deep page, 64', 'rate'),
  },
  {
    ...{ suite: 'read', goal: 'list, first page / deep page', unit: 'x', bound: { atMost: 1.2 } },
    measure: ratio(['list, first page, 64', 'rate'], ['list, deep page, 64', 'rate']),
  },
]

const system = (connections: number, rate: number): Goal[] => [
  {
    ...{ suite: 'system', goal: `whole system at ${connections}, posted`, unit: '/s', bound: { atLeast: rate } },
    measure: figure(`system, ${connections}`, 'rate'),
  },
  {
    ...{ suite: 'system', goal: `whole system at ${connections}, published p99`, unit: 'ms', bound: { atMost: 250 } },
    measure: figure(`system, ${connections}`, 'published p99'),
  },
  {
    // Flat: the backlog grows by less than one transaction in a hundred.
    ...{ suite: 'system', goal: `whole system at ${connections}, backlog grows by`, unit: '%', bound: { atMost: 1 } },
    measure: figure(`system, ${connections}`, 'backlog growth'),
  },
]

const RELAY: readonly Goal[] = [
  {
    ...{ suite: 'relay', goal: 'relay drains', unit: '/s', bound: { atLeast: 60_000 } },
    measure: figure('drain', 'rate'),
  },
  {
    ...{ suite: 'relay', goal: "relay's memory while it drains", unit: 'MB', bound: { atMost: 200 } },
    measure: figure('drain', 'peak memory'),
  },
  {
    ...{ suite: 'relay', goal: 'commit to visible at 200/s, p50', unit: 'ms', bound: { atMost: 9 } },
    measure: figure('latency at 200/s', 'p50'),
  },
  {
    ...{ suite: 'relay', goal: 'commit to visible at 200/s, p99', unit: 'ms', bound: { atMost: 20 } },
    measure: figure('latency at 200/s', 'p99'),
  },
  {
    ...{ suite: 'relay', goal: 'commit to visible at 600/s, p99', unit: 'ms', bound: { atMost: 40 } },
    measure: figure('latency at 600/s', 'p99'),
  },
  {
    ...{ suite: 'relay', goal: 'flowing again after a kill, with a second replica', unit: 's', bound: { atMost: 6 } },
    measure: figure('take-over', 'flowing again'),
  },
  {
    ...{ suite: 'relay', goal: 'flowing again after the only one is ready', unit: 's', bound: { atMost: 3 } },
    measure: figure('restart', 'flowing again'),
  },
  {
    ...{ suite: 'relay', goal: 'two replicas / one, broker 20 ms away', unit: 'x', bound: { atLeast: 1.7 } },
    measure: ratio(['far broker, 2', 'rate'], ['far broker, 1', 'rate']),
  },
]

const EXPORT: readonly Goal[] = [
  {
    ...{ suite: 'export', goal: 'export of the whole history', unit: 's', bound: { atMost: 20 } },
    measure: figure('one export', 'time'),
  },
  {
    ...{ suite: 'export', goal: "exporter's memory, one export", unit: 'MB', bound: { atMost: 200 } },
    measure: figure('one export', 'peak memory'),
  },
  {
    ...{ suite: 'export', goal: "exporter's memory, two at once", unit: 'MB', bound: { atMost: 300 } },
    measure: figure('two exports at once', 'peak memory'),
  },
  {
    ...{ suite: 'export', goal: "API's p99 during an export / before", unit: 'x', bound: { atMost: 1.5 } },
    measure: ratio(['API during an export', 'p99'], ['API without an export', 'p99']),
  },
]

const IDLE: readonly Goal[] = ['api', 'relay', 'exporter'].flatMap((name): Goal[] => [
  {
    ...{ suite: 'idle', goal: `${name} idle, of a core`, unit: '%', bound: { atMost: 2 } },
    measure: figure(name, 'CPU'),
  },
  {
    ...{ suite: 'idle', goal: `${name} idle, memory`, unit: 'MB', bound: { atMost: 120 } },
    measure: figure(name, 'memory'),
  },
])

const GOALS: readonly Goal[] = [...POST, ...READ, ...system(64, 8_000), ...system(256, 10_500), ...RELAY, ...EXPORT, ...IDLE] // biome-ignore format: one list

/** Compares the figures with the goals of the suites that ran. */
export function judgeGoals(measurements: readonly Measurement[], suites: readonly SuiteName[]): GoalVerdict[] {
  return GOALS.filter(({ suite }) => suites.includes(suite)).map(({ suite, goal, unit, bound, measure }) => {
    const measured = measure((name, of) => {
      const measurement = measurements.find((one) => one.suite === suite && one.name === name)
      // Figures of a failed run meet no goal.
      if (!measurement || measurement.failures.length > 0) return undefined
      return measurement.figures.find((one) => one.name === of)?.median
    })
    const known = measured !== undefined && Number.isFinite(measured)
    const holds = (value: number) => ('atLeast' in bound ? value >= bound.atLeast : value <= bound.atMost)
    const wanted = 'atLeast' in bound ? `>= ${bound.atLeast}` : `<= ${bound.atMost}`
    return { goal, wanted, measured: known ? measured : undefined, unit, met: known ? holds(measured) : undefined }
  })
}
