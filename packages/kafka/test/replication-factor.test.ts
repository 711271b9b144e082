import type { Admin } from 'kafkajs'
import { expect, test } from 'vitest'
import { chooseReplicationFactor } from '../src/index.ts'

const adminOf = (count: number) =>
  ({ describeCluster: async () => ({ brokers: Array.from({ length: count }, (_, nodeId) => ({ nodeId })) }) }) as Admin

test.for([
  [1, undefined, 1],
  [2, undefined, 2],
  [5, undefined, 3],
  [1, 3, 3],
  [5, 2, 2],
] as const)('%j brokers and a configuration of %j make %j copies', async ([brokers, configured, copies]) => {
  expect(await chooseReplicationFactor(adminOf(brokers), configured)).toBe(copies)
})
