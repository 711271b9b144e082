import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createServiceLog, describeProblem } from '../src/service-log.ts'

test('errors are shown in one line each, and everything else is not', () => {
  const line = { level: 'fatal', msg: 'could not start', err: { message: 'connection refused', stack: 'long' } }
  expect(describeProblem(JSON.stringify(line))).toBe('could not start: connection refused')
  expect(describeProblem(JSON.stringify({ ...line, level: 'warn' }))).toBeUndefined()
  expect(describeProblem('{"level":"error",')).toBeUndefined()
  expect(describeProblem('Listening')).toBeUndefined()
})

test('the file has every line, the screen the first few errors, the tail what Node said', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'log-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'api-1.log')
  const shown: string[] = []
  const log = createServiceLog(file, (line) => shown.push(line))
  const errors = Array.from({ length: 8 }, (_, at) => JSON.stringify({ level: 'error', msg: `failure ${at}` }))
  log.follow(Readable.from(['{"level":"info","msg":"up"}\n', `${errors.join('\n')}\n`, 'SyntaxError: nonsense\n']))

  await vi.waitFor(() => expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(11))
  expect(shown).toEqual([0, 1, 2, 3, 4].map((at) => `failure ${at}`).concat('more errors are in its log'))
  expect(log.tail()).toMatch(/failure 7\nSyntaxError: nonsense$/)
})
