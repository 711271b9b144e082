import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, waitFor } from '@streamledger/testkit'
import { ROOT } from '../src/local-config.ts'
import { livingOf, ownStackEnv, runNpm } from './run-npm.ts'

// npm runs a script in a shell, and passes SIGTERM on to that shell alone.

test('every script becomes its program, so that no shell stands between npm and it', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  for (const script of Object.values(scripts)) expect(script).toMatch(/^exec node tools\/local\/bootstrap\.mjs /)
})

// What is killed has no exit code.
for (const [signal, code] of [
  ['SIGTERM', 0],
  ['SIGKILL', null],
] as const) {
  test(`${signal} to npm ends the command that it runs`, async ({ createDatabase, kafka }) => {
    const { url } = await createDatabase()
    const env = { DATABASE_URL: url, KAFKA_BROKERS: kafka.brokers, KAFKA_TOPIC: `audit-${randomUUID()}` }
    const run = runNpm(['run', 'streamledger', '--', 'audit'], { ...(await ownStackEnv()), ...env })
    await run.untilSays('"msg":')
    const processes = run.processes()
    expect(processes.length).toBeGreaterThan(1)
    run.child.kill(signal)
    expect(await run.exited).toBe(code)
    await waitFor(() => expect(livingOf(processes)).toEqual([]))
  }, 300_000)
}
