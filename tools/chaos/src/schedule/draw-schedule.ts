import { FAULT_KINDS, type FaultKind, faultKinds } from './fault-kinds.ts'
import { Random } from './random.ts'

/** Duration of a relay's lease: short, so that pauses longer than the lease are short, too. */
export const LEASE_MS = 1_500

type ScaledRole = 'api' | 'relay'
export type Replicas = Readonly<Record<ScaledRole, number>>

export const REPLICAS_FIRST: Replicas = { api: 2, relay: 3 }
export const REPLICAS_MAX: Replicas = { api: 3, relay: 4 }
export const EXPORTERS = 2

export interface PlannedFault {
  /** Its place in the schedule, from 0. */
  index: number
  kind: FaultKind
  /** Replicas as `relay-2`, engines as `kafka` and `postgres`. */
  victims: readonly string[]
  /** Delay after the previous fault; zero: together with it. */
  after_ms: number
  /** Duration of a pause or a silence, or the delay before a killed process is restarted. */
  lasts_ms: number
  /** Direction of a silence. */
  direction?: 'to_target' | 'to_client' | undefined
  /** The new number of replicas. */
  replicas?: Replicas
}

/** One of each kind comes first, so that a short run has seen all of them. */
const OPENING = faultKinds
const DECK = faultKinds.flatMap((kind) => Array.from({ length: FAULT_KINDS[kind].share }, () => kind))
/** Share of faults that begin together with the previous one. */
const AT_ONCE_SHARE = 0.2
const AFTER_MS = { min: 500, max: 4_000 }
/** Pauses after which the other exporters declare the paused one dead. */
const LONG_PAUSE_MS = { min: 35_000, max: 45_000 }
const LONG_PAUSE_SHARE = 0.3

/** The endless sequence of faults for this seed. It depends on the seed alone. */
export function* drawSchedule(seed: number): Generator<PlannedFault, never> {
  const random = new Random(seed)
  let replicas = REPLICAS_FIRST
  let index = 0
  for (let deck: readonly FaultKind[] = OPENING; ; deck = DECK) {
    for (const kind of shuffleApart(random, deck)) {
      const fault = drawFault(random, { index, kind, replicas })
      replicas = fault.replicas ?? replicas
      index += 1
      yield fault
    }
  }
}

/** Shuffles faults, but keeps restarts of the same engine apart, so that it runs for some time in between. */
function shuffleApart(random: Random, deck: readonly FaultKind[]): FaultKind[] {
  const engines = ['broker', 'postgres'].map((engine) => random.shuffle(deck.filter((kind) => isOf(engine, kind))))
  const others = deck.filter((kind) => !isOf('broker', kind) && !isOf('postgres', kind))
  const placed = [
    ...others.map((kind) => ({ kind, place: random.next() })),
    // Each gets its own part of the deck, and is not at the edge of it.
    ...engines.flatMap((kinds) =>
      kinds.map((kind, at) => ({ kind, place: (at + 0.2 + 0.6 * random.next()) / kinds.length })),
    ),
  ]
  return placed.sort((a, b) => a.place - b.place).map(({ kind }) => kind)
}

const isOf = (engine: string, kind: FaultKind): boolean => kind.startsWith(`${engine}_`)

/** The numbers of replicas after all faults before this index. */
export function replicasBefore(seed: number, index: number): Replicas {
  let replicas = REPLICAS_FIRST
  for (const fault of drawSchedule(seed)) {
    if (fault.index >= index) break
    replicas = fault.replicas ?? replicas
  }
  return replicas
}

function drawFault(
  random: Random,
  { index, kind, replicas }: { index: number; kind: FaultKind; replicas: Replicas },
): PlannedFault {
  const after_ms = random.next() < AT_ONCE_SHARE ? 0 : random.between(AFTER_MS.min, AFTER_MS.max)
  const lasts_ms = drawDuration(random, kind)
  const fault = { index, kind, after_ms, lasts_ms }
  if (kind === 'relay_scaled' || kind === 'api_scaled') {
    const role = kind === 'relay_scaled' ? 'relay' : 'api'
    const next = { ...replicas, [role]: drawOtherCount(random, role, replicas[role]) }
    return { ...fault, replicas: next, victims: between(role, replicas[role], next[role]) }
  }
  const victims = [drawVictim(random, kind, replicas)]
  if (!kind.endsWith('_hung')) return { ...fault, victims }
  return { ...fault, victims, direction: random.pick([undefined, 'to_target', 'to_client'] as const) }
}

function drawVictim(random: Random, kind: FaultKind, replicas: Replicas): string {
  if (kind.startsWith('broker')) return 'kafka'
  if (kind.startsWith('postgres')) return 'postgres'
  const role = kind.split('_')[0] as ScaledRole | 'exporter'
  return `${role}-${random.between(1, role === 'exporter' ? EXPORTERS : replicas[role])}`
}

function drawOtherCount(random: Random, role: ScaledRole, count: number): number {
  const others = Array.from({ length: REPLICAS_MAX[role] }, (_, at) => at + 1).filter((other) => other !== count)
  return random.pick(others)
}

/** The replicas that are added or removed between two counts. */
function between(role: ScaledRole, from: number, to: number): string[] {
  const [low, high] = [Math.min(from, to), Math.max(from, to)]
  return Array.from({ length: high - low }, (_, at) => `${role}-${low + 1 + at}`)
}

function drawDuration(random: Random, kind: FaultKind): number {
  if (kind === 'relay_paused') return random.between(LEASE_MS + 500, LEASE_MS + 3_000)
  if (kind === 'api_paused') return random.between(500, 6_000)
  if (kind === 'exporter_paused') {
    const { min, max } = random.next() < LONG_PAUSE_SHARE ? LONG_PAUSE_MS : { min: 500, max: 5_000 }
    return random.between(min, max)
  }
  if (kind.endsWith('_hung')) return random.between(500, 6_000)
  if (kind.endsWith('_cut')) return random.pick([0, random.between(0, 2_000)])
  if (kind.endsWith('_scaled')) return 0
  return random.between(0, 1_500) // killed or stopped
}
