import { commandLineOf } from '@streamledger/engines'
import { waitFor } from '@streamledger/testkit'
import { expect, test } from 'vitest'
import { livingOf, runNpm } from './run-npm.ts'

// Here for its time alone: it starts engines of its own.

test('SIGTERM to the npm of `npm test` leaves no PostgreSQL and no Kafka running', async () => {
  const run = runNpm(['test', '--', 'tools/local/test/house-rules.test.ts'], { TEST_ENGINES: 'embedded' })
  const isRunning = (program: string) => run.processes().some((pid) => commandLineOf(pid)?.includes(program))
  await waitFor(() => isRunning('kafka.Kafka') && isRunning('/bin/postgres'), { timeoutMs: 240_000, intervalMs: 50 })
  const processes = run.processes()
  run.child.kill('SIGTERM')
  expect(await run.exited).not.toBe(0)
  expect(run.output).toMatch(/\n\d+ passed, \d+ failed\n$/)
  expect(livingOf(processes)).toEqual([])
})
