import { expect, test } from 'vitest'
import { readPeakMb, watchUsage } from '../src/measure/process-usage.ts'

const BUSY_MS = 400
/** Linux counts in hundredths of a second, apart for what the program and what its system calls took. */
const ROUNDED_MS = 30

/** Reads how long it has been since, and how long of that this process had a core. */
function startClock(): () => { ms: number; cpuMs: number } {
  const [startedAt, before] = [performance.now(), process.cpuUsage()]
  return () => {
    const { user, system } = process.cpuUsage(before)
    return { ms: performance.now() - startedAt, cpuMs: (user + system) / 1_000 }
  }
}

test('a busy process is seen to be busy, and its memory is known; where there is no /proc, nothing is claimed', () => {
  const around = startClock()
  const watch = watchUsage([{ name: 'self', pid: process.pid }])
  const within = startClock()
  const until = performance.now() + BUSY_MS
  while (performance.now() < until) Math.sqrt(until)
  const least = within()
  const usage = watch.stop()
  const most = around()
  if (process.platform !== 'linux') {
    expect(usage).toBeUndefined()
    expect(readPeakMb(process.pid)).toBeNaN()
    return
  }
  const self = usage?.find(({ name }) => name === 'self')
  // On a busy machine a busy loop only gets its share of CPU; Node reports that share, too.
  expect(self?.cpu_percent).toBeGreaterThan((100 * (least.cpuMs - ROUNDED_MS)) / most.ms)
  expect(self?.cpu_percent).toBeLessThan((100 * (most.cpuMs + ROUNDED_MS)) / least.ms)
  expect(self?.rss_mb).toBeGreaterThan(10)
  expect(readPeakMb(process.pid)).toBeGreaterThanOrEqual(Math.floor(self?.rss_mb ?? 0))
})

test('a process that is gone uses nothing', () => {
  const usage = watchUsage([{ name: 'gone', pid: 2 ** 22 + 1 }]).stop()
  expect(usage?.find(({ name }) => name === 'gone') ?? { cpu_percent: 0 }).toMatchObject({ cpu_percent: 0 })
})
