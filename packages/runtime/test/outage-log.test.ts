import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Logger } from '../src/create-logger.ts'
import { OutageLog } from '../src/outage-log.ts'

const HOUR_MS = 3_600_000

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function makeLog() {
  const lines: Record<string, unknown>[] = []
  const write = (fields: object, message: string) => void lines.push({ ...fields, message })
  const logger = { warn: write, info: write } as unknown as Logger
  return { lines, log: new OutageLog(logger, 'Kafka works again') }
}

test('an hour of failures is a handful of lines: the first in full, the last with the count and the duration', () => {
  const { lines, log } = makeLog()
  const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  for (let ms = 0; ms < HOUR_MS; ms += 100) {
    log.failed('could not read', error)
    vi.advanceTimersByTime(100)
  }
  log.ended()
  expect(lines[0]).toEqual({ err: error, message: 'could not read' })
  expect(lines[1]).toMatchObject({ failures: 51, lastedMs: 5_000, latest: 'Error: connect ECONNREFUSED' })
  expect(lines.at(-1)).toEqual({ failures: 36_000, lastedMs: HOUR_MS, message: 'Kafka works again' })
  expect(lines.length).toBeLessThan(25)
})

test('another kind of failure in the same outage is logged in full at once, the same kind with other words is not', () => {
  const { lines, log } = makeLog()
  log.failed('could not read', new RangeError('batch 1'))
  log.failed('could not read', new RangeError('batch 2'))
  const other = new TypeError('batch 3')
  log.failed('could not read', other, { partition: 7 })
  expect(lines).toHaveLength(2)
  expect(lines[1]).toEqual({ err: other, partition: 7, message: 'could not read' })
})

test('after its end an outage begins again with a line in full, and an end without an outage is silent', () => {
  const { lines, log } = makeLog()
  log.ended()
  for (let outage = 0; outage < 2; outage += 1) {
    log.failed('could not read', new Error('gone'))
    log.ended()
  }
  expect(lines.map(({ message }) => message)).toEqual([
    'could not read',
    'Kafka works again',
    'could not read',
    'Kafka works again',
  ])
})
