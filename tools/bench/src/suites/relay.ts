import { openKafkaDoor } from '@streamledger/testkit/kafka-door'
import { openEngines } from '../stack/open-engines.ts'
import type { Suite } from '../suite.ts'
import { measureDrain } from './relay-drain.ts'
import { measureRestart, measureTakeOver } from './relay-hand-over.ts'
import { measureLatency } from './relay-latency.ts'
import { measureReplicas } from './relay-replicas.ts'

const RATES = [200, 600]

/** The relay alone: drain rate, latency, recovery after a kill, and the gain by a second replica. */
export const runRelay: Suite = async (deps, report) => {
  await using closing = new AsyncDisposableStack()
  const door = await openKafkaDoor()
  closing.defer(() => door.proxy.close())
  await using engines = await openEngines(deps, { kafka: { listeners: [door.listener] } })
  report(await measureDrain(deps, engines))
  for (const rate of RATES) report(await measureLatency(deps, engines, rate))
  report(await measureTakeOver(deps, engines))
  report(await measureRestart(deps, engines))
  for (const replicas of [1, 2]) report(await measureReplicas(deps, engines, { replicas, door }))
}
