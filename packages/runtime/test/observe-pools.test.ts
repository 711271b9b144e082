import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { type ObservedPool, observePools } from '../src/observe-pools.ts'

async function readWaiting(pool: ObservedPool): Promise<number | undefined> {
  const registry = new Registry()
  observePools(registry, { main: pool })
  const [metric] = await registry.getMetricsAsJSON()
  return metric?.values.find(({ labels }) => labels.state === 'waited_for')?.value as number | undefined
}

test('who takes an idle connection, or opens one, does not wait; whoever is left does', async () => {
  const options = { max: 8 }
  expect(await readWaiting({ totalCount: 8, idleCount: 5, waitingCount: 3, options })).toBe(0)
  expect(await readWaiting({ totalCount: 4, idleCount: 1, waitingCount: 4, options })).toBe(0)
  expect(await readWaiting({ totalCount: 8, idleCount: 1, waitingCount: 4, options })).toBe(3)
})
