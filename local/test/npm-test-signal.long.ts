import { expect, test } from 'vitest'
import { livingOf, runNpm } from './run-npm.ts'

// Here for its time alone: it starts engines of its own.

test('SIGTERM to the npm of `npm test` leaves no PostgreSQL and no Kafka running', async () => {
  const run = runNpm(['test', '--', 'local/test/house-rules.test.ts'], { TEST_ENGINES: 'embedded' })
  await run.untilSays('house-rules.test.ts')
  const processes = run.processes()
  run.child.kill('SIGTERM')
  expect(await run.exited).not.toBe(0)
  expect(run.output).toMatch(/\n\d+ passed, \d+ failed\n$/)
  expect(livingOf(processes)).toEqual([])
})
