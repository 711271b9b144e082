import { expect, test } from 'vitest'
import { readPeakMb, watchUsage } from '../src/measure/process-usage.ts'

const BUSY_MS = 400

test('a busy process is seen to be busy, and its memory is known; where there is no /proc, nothing is claimed', () => {
  const watch = watchUsage([{ name: 'self', pid: process.pid }])
  const until = performance.now() + BUSY_MS
  while (performance.now() < until) Math.sqrt(until)
  const usage = watch.stop()
  if (process.platform !== 'linux') {
    expect(usage).toBeUndefined()
    expect(readPeakMb(process.pid)).toBeNaN()
    return
  }
  const self = usage?.find(({ name }) => name === 'self')
  // On a machine that others fill, a busy loop gets only its share.
  expect(self?.cpu_percent).toBeGreaterThan(10)
  expect(self?.cpu_percent).toBeLessThan(250)
  expect(self?.rss_mb).toBeGreaterThan(10)
  expect(readPeakMb(process.pid)).toBeGreaterThanOrEqual(Math.floor(self?.rss_mb ?? 0))
})

test('a process that is gone uses nothing', () => {
  const usage = watchUsage([{ name: 'gone', pid: 2 ** 22 + 1 }]).stop()
  expect(usage?.find(({ name }) => name === 'gone') ?? { cpu_percent: 0 }).toMatchObject({ cpu_percent: 0 })
})
