import type { KafkaCluster } from '@streamledger/engines'
import { Random } from '../schedule/random.ts'
import type { Cluster, PatroniCluster, PatroniNode } from './patroni-cluster.ts'

/** What happens to the engines in a turn. */
export const TURNS = {
  primary_killed: { what: 'kill -9 of the primary and its Patroni', moves: true },
  primary_frozen: {
    what: 'SIGSTOP of the primary and its Patroni; it wakes when there is another primary',
    moves: true,
  },
  primary_cut_off: { what: 'the primary is silent to etcd, standbys and clients; the same', moves: true },
  switch_over: { what: 'a planned switch-over with Patroni’s /switchover', moves: true },
  standby_killed: { what: 'kill -9 of the synchronous standby and its Patroni', moves: false },
  both_killed: { what: 'kill -9 of the primary, its Patroni and a Kafka broker', moves: true },
} as const satisfies Record<string, { what: string; moves: boolean }>

export type TurnKind = keyof typeof TURNS
export const turnKinds = Object.keys(TURNS) as TurnKind[]

export interface Turn {
  readonly kind: TurnKind
  /** Time from the new primary, or from the loss of the standby, until the victims come back. */
  readonly lasts_ms: number
  readonly broker: number
}

const LASTS_MS = { min: 0, max: 6_000 }

/** The turns of a seed: shuffled decks with one of each kind. */
export function* drawTurns(seed: number): Generator<Turn, never> {
  const random = new Random(seed)
  for (;;) {
    for (const kind of random.shuffle(turnKinds)) {
      yield { kind, lasts_ms: random.between(LASTS_MS.min, LASTS_MS.max), broker: random.between(1, 3) }
    }
  }
}

export interface Engines {
  readonly patroni: PatroniCluster
  readonly kafka: KafkaCluster
}

/** Injects the fault of a turn. The function that is returned ends it. */
export async function inject(
  { kind, broker }: Turn,
  { patroni, kafka }: Engines,
  now: Cluster,
): Promise<() => Promise<unknown>> {
  const [primary, standby] = [now.leader, now.syncStandby].map((name) => patroni.nodes.get(name) as PatroniNode) as [
    PatroniNode,
    PatroniNode,
  ]
  switch (kind) {
    case 'primary_killed':
      await primary.kill()
      return () => primary.start()
    case 'standby_killed':
      await standby.kill()
      return () => standby.start()
    case 'both_killed':
      await Promise.all([primary.kill(), kafka.kill(broker)])
      return () => Promise.all([primary.start(), kafka.start(broker)])
    case 'primary_frozen':
      primary.freeze()
      return async () => primary.thaw()
    case 'primary_cut_off':
      primary.cutOff()
      return async () => primary.heal()
    case 'switch_over':
      await patroni.switchOver(now)
      return async () => {}
  }
}
