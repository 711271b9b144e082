import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** A watched process. With `tree`, its children count, too; PostgreSQL's connections are children. */
export interface Watched {
  readonly name: string
  readonly pid: number
  readonly tree?: boolean
}

export interface ProcessUsage {
  name: string
  /** Of one core: a process that fills two cores has 200. */
  cpu_percent: number
  /** The largest that was seen; of a tree, the proportional share of its memory at the end. */
  rss_mb: number
}

export interface UsageWatch {
  /** Undefined where the platform has no /proc. */
  stop(): ProcessUsage[] | undefined
}

/** Linux reports CPU time in hundredths of a second, independent of its own timer. */
const TICKS_PER_S = 100
const LOOK_INTERVAL_MS = 250
const KB_PER_MB = 1_024
/** CPU usage of all other processes. If it is large, they have disturbed the run. */
export const OTHERS = 'others'

/** Watches what processes use until it is stopped. */
export function watchUsage(watched: readonly Watched[]): UsageWatch {
  if (process.platform !== 'linux') return { stop: () => undefined }
  const startedAt = performance.now()
  const ticksBefore = new Map(watched.map((one) => [one.name, ticksOf(one)]))
  const machineBefore = readMachineTicks()
  const ticksLast = new Map(ticksBefore)
  const rssMax = new Map<string, number>()
  const look = () => {
    for (const one of watched) {
      // A load generator has ended by the last look, so the largest value seen counts.
      ticksLast.set(one.name, Math.max(ticksLast.get(one.name) ?? 0, ticksOf(one)))
      if (!one.tree) rssMax.set(one.name, Math.max(rssMax.get(one.name) ?? 0, readStatusMb(one.pid, 'VmRSS')))
    }
  }
  look()
  const timer = setInterval(look, LOOK_INTERVAL_MS)
  return {
    stop: () => {
      clearInterval(timer)
      look()
      const seconds = (performance.now() - startedAt) / 1_000
      const percent = (ticks: number) => (100 * Math.max(0, ticks)) / TICKS_PER_S / seconds
      const usages = watched.map((one) => ({
        name: one.name,
        cpu_percent: percent((ticksLast.get(one.name) ?? 0) - (ticksBefore.get(one.name) ?? 0)),
        rss_mb: one.tree ? readTreeMb(one.pid) : (rssMax.get(one.name) ?? 0),
      }))
      const explained = usages.reduce((sum, usage) => sum + usage.cpu_percent, 0)
      const machine = percent(readMachineTicks() - machineBefore)
      return [...usages, { name: OTHERS, cpu_percent: Math.max(0, machine - explained), rss_mb: 0 }]
    },
  }
}

/** The most memory that a process has ever held, as the kernel noted it; NaN without /proc. */
export function readPeakMb(pid: number): number {
  return process.platform === 'linux' ? readStatusMb(pid, 'VmHWM') : Number.NaN
}

export function describeMachine() {
  const [cpu] = cpus()
  return { cores: cpus().length, cpu: cpu?.model ?? 'unknown', platform: `${process.platform}-${process.arch}` }
}

function ticksOf({ pid, tree }: Watched): number {
  const { own, reaped } = readTicks(pid)
  if (!tree) return own
  // The CPU time of a connection that has ended is added to its parent, which has waited for it.
  return own + reaped + childrenOf(pid).reduce((sum, child) => sum + readTicks(child).own, 0)
}

function readTicks(pid: number): { own: number; reaped: number } {
  const text = read(`/proc/${pid}/stat`)
  // The second field is a name in brackets that may hold blanks; the third follows the last bracket.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number)
  const [utime = 0, stime = 0, cutime = 0, cstime = 0] = fields.slice(11, 15)
  return { own: utime + stime, reaped: cutime + cstime }
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number)
}

/** Counts shared memory once for the whole tree, not once per connection. */
function readTreeMb(pid: number): number {
  const shares = [pid, ...childrenOf(pid)].map((one) =>
    Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${one}/smaps_rollup`))?.[1] ?? 0),
  )
  return shares.reduce((sum, share) => sum + share, 0) / KB_PER_MB
}

function readStatusMb(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / KB_PER_MB
}

/** Busy time of all cores: user, nice, system, irq and softirq; neither idle nor waiting for the disk. */
function readMachineTicks(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] =
    read('/proc/stat').split('\n', 1)[0]?.split(/\s+/).slice(1).map(Number) ?? []
  return user + nice + system + irq + softirq
}

/** Empty for a process that is gone. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
