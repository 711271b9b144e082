import { expect, test } from 'vitest'
import {
  drawSchedule,
  LEASE_MS,
  type PlannedFault,
  REPLICAS_FIRST,
  replicasBefore,
} from '../src/schedule/draw-schedule.ts'
import { CAMPAIGN_FAULTS, faultKinds, MINIMUMS } from '../src/schedule/fault-kinds.ts'

function take(seed: number, count: number): PlannedFault[] {
  const faults: PlannedFault[] = []
  for (const fault of drawSchedule(seed)) {
    if (fault.index >= count) break
    faults.push(fault)
  }
  return faults
}

const SEEDS = [0, 1, 7, 2_147_483_647]

test('the same seed draws the same faults, victims and times, and another seed others', () => {
  expect(take(7, 2_000)).toEqual(take(7, 2_000))
  expect(take(7, 100)).not.toEqual(take(8, 100))
})

test('a seed means the same in every release: what was found with it can be looked for again', () => {
  expect(take(1, 6)).toMatchInlineSnapshot(`
    [
      {
        "after_ms": 1168,
        "index": 0,
        "kind": "relay_broker_cut",
        "lasts_ms": 0,
        "victims": [
          "relay-2",
        ],
      },
      {
        "after_ms": 1532,
        "index": 1,
        "kind": "api_scaled",
        "lasts_ms": 0,
        "replicas": {
          "api": 1,
          "relay": 3,
        },
        "victims": [
          "api-2",
        ],
      },
      {
        "after_ms": 2411,
        "index": 2,
        "kind": "postgres_stopped",
        "lasts_ms": 1138,
        "victims": [
          "postgres",
        ],
      },
      {
        "after_ms": 0,
        "index": 3,
        "kind": "broker_killed",
        "lasts_ms": 1082,
        "victims": [
          "kafka",
        ],
      },
      {
        "after_ms": 3197,
        "index": 4,
        "kind": "relay_scaled",
        "lasts_ms": 0,
        "replicas": {
          "api": 1,
          "relay": 4,
        },
        "victims": [
          "relay-4",
        ],
      },
      {
        "after_ms": 3150,
        "index": 5,
        "kind": "api_paused",
        "lasts_ms": 1343,
        "victims": [
          "api-1",
        ],
      },
    ]
  `)
})

test.each(SEEDS)(
  'a thousand faults of seed %i hold the minimum of each kind, with some to spare for those that miss',
  (seed) => {
    const faults = take(seed, CAMPAIGN_FAULTS)
    for (const { kinds, count } of MINIMUMS) {
      expect(faults.filter(({ kind }) => kinds.includes(kind)).length).toBeGreaterThanOrEqual(count * 1.2)
    }
  },
)

test.each(SEEDS)('the first faults of seed %i are one of each kind', (seed) => {
  expect(
    take(seed, faultKinds.length)
      .map(({ kind }) => kind)
      .sort(),
  ).toEqual([...faultKinds].sort())
})

test.each(SEEDS)('a thousand faults of seed %i begin within an hour', (seed) => {
  const ms = take(seed, CAMPAIGN_FAULTS).reduce((sum, { after_ms }) => sum + after_ms, 0)
  expect(ms).toBeLessThan(3_600_000)
})

test('nobody is hit who is not there, and those that come and go are the ones between two counts', () => {
  let replicas = REPLICAS_FIRST
  for (const fault of take(3, 5_000)) {
    const names = (['api', 'relay'] as const).flatMap((role) =>
      Array.from({ length: replicas[role] }, (_, at) => `${role}-${at + 1}`),
    )
    if (fault.replicas) {
      const next = (['api', 'relay'] as const).flatMap((role) =>
        Array.from({ length: fault.replicas?.[role] ?? 0 }, (_, at) => `${role}-${at + 1}`),
      )
      const changed = [...names, ...next].filter((name) => names.includes(name) !== next.includes(name))
      expect([...fault.victims].sort()).toEqual(changed.sort())
      replicas = fault.replicas
    } else {
      expect(['kafka', 'postgres', 'exporter-1', 'exporter-2', ...names]).toContain(fault.victims[0])
    }
    if (fault.index % 500 === 0) expect(replicasBefore(3, fault.index + 1)).toEqual(replicas)
    expect(Math.min(...Object.values(replicas))).toBeGreaterThanOrEqual(1)
  }
})

test('a relay is always paused for longer than its lease', () => {
  const pauses = take(5, 5_000).filter(({ kind }) => kind === 'relay_paused')
  expect(pauses.length).toBeGreaterThan(500)
  expect(Math.min(...pauses.map(({ lasts_ms }) => lasts_ms))).toBeGreaterThan(LEASE_MS)
})

test('some faults come together with the one before', () => {
  const together = take(5, 1_000).filter(({ after_ms }) => after_ms === 0)
  expect(together.length).toBeGreaterThan(100)
  expect(together.length).toBeLessThan(300)
})

test.each(SEEDS)('between two restarts of the same engine, seed %i has others', (seed) => {
  for (const engine of ['kafka', 'postgres']) {
    const places = take(seed, CAMPAIGN_FAULTS)
      .filter(({ victims }) => victims[0] === engine)
      .map(({ index }) => index)
    const gaps = places.slice(1).map((place, at) => place - (places[at] as number))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(3)
  }
})
