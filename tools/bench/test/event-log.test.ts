import { expect, test } from 'vitest'
import { createEventLog, readEventLog } from '../src/events/event-log.ts'

test('a log gives back what it was given, in chunks, beyond its first size', () => {
  const log = createEventLog()
  const count = 100_000
  for (let id = 0; id < count; id += 1)
    log.add({ transactionId: id, partition: id % 12, offset: id * 2, seenAtMs: id / 4 })
  expect(log.count()).toBe(count)

  const read = readEventLog(log.bytes())
  expect(read.count).toBe(count)
  expect(read.columns(99_998, 200_000)).toEqual([
    [99_998, 99_999],
    [2, 3],
    [199_996, 199_998],
    [24_999.5, 24_999.75],
  ])
  expect(read.columns(0, 0)).toEqual([[], [], [], []])
})
