import { expect, test, vi } from 'vitest'
import type { Logger } from '../src/create-logger.ts'
import { logPreparation } from '../src/log-preparation.ts'

test('a database that is down for the whole of a start is a handful of lines, and its end is one', () => {
  vi.useFakeTimers()
  const messages: string[] = []
  const write = (_fields: object, message: string) => void messages.push(message)
  const { onWait, onReached } = logPreparation({ warn: write, info: write } as unknown as Logger)
  for (let tries = 0; tries < 120; tries += 1) {
    onWait(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))
    vi.advanceTimersByTime(500)
  }
  onReached()
  onReached()
  expect(messages[0]).toBe('the database cannot be reached, trying again')
  expect(messages.filter((message) => message === 'the database is reached')).toHaveLength(1)
  expect(messages.length).toBeLessThan(8)
  vi.useRealTimers()
})
