import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fairShare } from '../src/partition-lease.ts'

test('the shares of all replicas add up to all partitions and differ by one at most', () => {
  fc.assert(
    fc.property(fc.nat({ max: 1_000 }), fc.integer({ min: 1, max: 50 }), (partitions, instances) => {
      const shares = Array.from({ length: instances }, (_, rank) => fairShare(partitions, instances, rank))
      expect(shares.reduce((sum, share) => sum + share, 0)).toBe(partitions)
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1)
    }),
  )
})
