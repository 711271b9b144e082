import { type ProcessUsage, type Watched, watchUsage } from '../measure/process-usage.ts'
import { spreadOf } from '../measure/statistics.ts'
import type { BenchDeps, Figure } from '../suite.ts'
import { type LoadResult, rateOf } from './load-result.ts'
import { runClosedLoop, runOpenLoop } from './run-load.ts'
import type { Workload } from './workload.ts'

export interface LoadPlan {
  readonly url: string
  readonly workload: Workload
  readonly connections: number
  /** For an open loop: requests per second, independent of the answers. */
  readonly rate?: number
  readonly watched: readonly Watched[]
  /** For the progress lines. */
  readonly name: string
}

export interface LoadMeasurement {
  figures: Figure[]
  usage: ProcessUsage[]
  failures: string[]
  /** Answers of all runs, including the warm-up: the ledger must have them. */
  answered: number
  refused: number
  /** Maximum number of requests in flight when runs ended. */
  cutOff: number
}

const GENERATOR = 'load'
/** A single client is too slow to warm an API up: its first thousands of requests run unoptimised. */
const WARM_UP_CONNECTIONS_MIN = 16

/** Warms up, runs and repeats one load; the figures are those of the repeats, the usage is their mean. */
export async function measureLoad(deps: BenchDeps, plan: LoadPlan): Promise<LoadMeasurement> {
  const load = createLoad(deps, plan)
  await load.warmUp()
  for (let number = 1; number <= deps.pace.repeats; number += 1) await load.run()
  return load.measured()
}

/** One load, run by run, so that runs of several loads can alternate. */
export function createLoad(deps: BenchDeps, plan: LoadPlan) {
  const { warmUpS, runS, repeats } = deps.pace
  const warmUpConnections = Math.max(plan.connections, WARM_UP_CONNECTIONS_MIN)
  const warmUps: LoadResult[] = []
  const results: LoadResult[] = []
  const usages: ProcessUsage[][] = []

  return {
    warmUp: async (): Promise<void> => {
      warmUps.push((await runOnce(deps, { ...plan, connections: warmUpConnections }, warmUpS)).result)
    },
    run: async (): Promise<void> => {
      const { result, usage } = await runOnce(deps, plan, runS)
      results.push(result)
      if (usage) usages.push(usage)
      deps.screen.progress(`${plan.name}: run ${results.length} of ${repeats}, ${describe(result)}`)
    },
    measured: (): LoadMeasurement => {
      const all = [...warmUps, ...results]
      const sum = (pick: (result: LoadResult) => number) => all.reduce((total, result) => total + pick(result), 0)
      return {
        figures: figuresOf(results),
        usage: meanUsage(usages),
        failures: failuresOf({ unexpected: sum((result) => result.unexpected), broken: sum((result) => result.broken) }), // biome-ignore format: one thought
        answered: sum((result) => result.answered),
        refused: sum((result) => result.refused),
        cutOff: plan.rate === undefined ? warmUpConnections + plan.connections * results.length : 0,
      }
    },
  }
}

async function runOnce(deps: BenchDeps, plan: LoadPlan, seconds: number) {
  const pids: Watched[] = []
  let watch: ReturnType<typeof watchUsage> | undefined
  const onPid = (pid: number) => {
    pids.push({ name: pids.length === 0 ? GENERATOR : `${GENERATOR}-${pids.length + 1}`, pid })
    watch?.stop()
    watch = watchUsage([...plan.watched, ...pids])
  }
  const { url, workload, connections, rate } = plan
  const run = { url, workload, seconds, connections, onPid }
  const result =
    rate === undefined ? await runClosedLoop(deps.load, run) : await runOpenLoop(deps.load, { ...run, rate })
  return { result, usage: watch?.stop() }
}

const round = (value: number) => Math.round(value * 10) / 10

export const describe = (result: LoadResult): string =>
  `${Math.round(rateOf(result)).toLocaleString('en')}/s, p50 ${round(result.p50_ms)} ms, p99 ${round(result.p99_ms)} ms`

function figuresOf(results: readonly LoadResult[]): Figure[] {
  return [
    { name: 'rate', unit: '/s', ...spreadOf(results.map(rateOf)) },
    { name: 'p50', unit: 'ms', ...spreadOf(results.map((result) => result.p50_ms)) },
    { name: 'p90', unit: 'ms', ...spreadOf(results.map((result) => result.p90_ms)) },
    { name: 'p99', unit: 'ms', ...spreadOf(results.map((result) => result.p99_ms)) },
  ]
}

/** Failures among the answers, as messages. */
export function failuresOf({ unexpected, broken }: Pick<LoadResult, 'unexpected' | 'broken'>): string[] {
  return [
    ...(unexpected > 0 ? [`${unexpected} answers had an unexpected status`] : []),
    ...(broken > 0 ? [`${broken} requests got no answer`] : []),
  ]
}

/** Of the repeats; memory is the largest of them. */
function meanUsage(usages: readonly ProcessUsage[][]): ProcessUsage[] {
  const names = [...new Set(usages.flatMap((usage) => usage.map(({ name }) => name)))]
  return names.map((name) => {
    const mine = usages.flatMap((usage) => usage.filter((one) => one.name === name))
    return {
      name,
      cpu_percent: mine.reduce((sum, one) => sum + one.cpu_percent, 0) / mine.length,
      rss_mb: Math.max(...mine.map((one) => one.rss_mb)),
    }
  })
}

/** Loads that ran side by side, as one: rates add up, and a latency is that of the slowest. */
export function addLoads(loads: readonly LoadMeasurement[]): LoadMeasurement {
  const [first, ...others] = loads
  if (!first) throw new Error('there is no load to add up')
  if (others.length === 0) return first
  const sum = (pick: (load: LoadMeasurement) => number) => loads.reduce((total, load) => total + pick(load), 0)
  return {
    figures: first.figures.map((figure) => addFigures(loads.flatMap(({ figures }) => figures.filter(({ name }) => name === figure.name)))), // biome-ignore format: one thought
    usage: first.usage,
    failures: loads.flatMap(({ failures }) => failures),
    answered: sum(({ answered }) => answered),
    refused: sum(({ refused }) => refused),
    cutOff: sum(({ cutOff }) => cutOff),
  }
}

function addFigures(figures: readonly Figure[]): Figure {
  const [first] = figures as [Figure, ...Figure[]]
  const add = (values: number[]) =>
    first.name === 'rate' ? values.reduce((total, value) => total + value, 0) : Math.max(...values)
  return {
    ...first,
    median: add(figures.map(({ median }) => median)),
    min: add(figures.map(({ min }) => min)),
    max: add(figures.map(({ max }) => max)),
  }
}
