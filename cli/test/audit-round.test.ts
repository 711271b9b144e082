import type { Logger } from '@streamledger/runtime'
import type { Pool } from 'pg'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { AuditState } from '../src/audit/audit-state.ts'
import { Auditor } from '../src/audit/auditor.ts'
import { AuditMetrics } from '../src/audit/metrics.ts'
import type { TopicRow } from '../src/read-topic-row.ts'
import type { TopicLog } from '../src/reconcile/topic-log.ts'

test('a round that fails is no complete one', async () => {
  const registry = new Registry()
  const state = new AuditState(undefined)
  state.positions.set(0, 3)
  state.judgedAt = new Date()
  const log = {
    ranges: async () => [{ partition: 0, low: 0, end: 5 }],
    // biome-ignore lint/correctness/useYield: it fails before the first chunk
    async *read() {
      throw new Error('offset 4 is missing')
    },
  } as unknown as TopicLog
  const query = async (text: string) => ({ rows: text.includes('clock_timestamp') ? [{ now: new Date() }] : [] })
  const deps = {
    ...{ pool: { query } as unknown as Pool, log, topic: { partitions: 1 } as TopicRow, state },
    ...{ metrics: new AuditMetrics(registry), logger: {} as Logger, sweep: { intervalMs: 0, graceMs: 0 } },
  }
  const auditor = await Auditor.open(deps, undefined)
  const ended = async (): Promise<number | undefined> =>
    (await registry.getSingleMetric('streamledger_audit_round_timestamp_seconds')?.get())?.values[0]?.value
  await expect(auditor.round(new AbortController().signal)).rejects.toThrow('offset 4 is missing')
  expect(await ended()).toBeUndefined()
  state.positions.set(0, 5)
  await auditor.round(new AbortController().signal)
  expect(await ended()).toBeCloseTo(Date.now() / 1_000, -2)
  state.close()
})

test('where the topic seems shorter than the position, the next round asks over new connections', async () => {
  const state = new AuditState(undefined)
  state.positions.set(0, 5)
  state.judgedAt = new Date()
  let end = 3
  let renewed = 0
  const log = {
    ranges: async () => [{ partition: 0, low: 0, end }],
    renew: async () => {
      renewed += 1
      end = 5
    },
  } as unknown as TopicLog
  const query = async (text: string) => ({ rows: text.includes('clock_timestamp') ? [{ now: new Date() }] : [] })
  const deps = {
    ...{ pool: { query } as unknown as Pool, log, topic: { partitions: 1 } as TopicRow, state },
    ...{ metrics: new AuditMetrics(new Registry()), logger: {} as Logger, sweep: { intervalMs: 0, graceMs: 0 } },
  }
  const auditor = await Auditor.open(deps, undefined)
  await auditor.round(new AbortController().signal)
  await auditor.round(new AbortController().signal)
  expect(renewed).toBe(1)
  expect(state.positions.get(0)).toBe(5)
  state.close()
})
