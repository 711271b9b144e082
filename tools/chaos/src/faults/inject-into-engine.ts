import { setTimeout as delay } from 'node:timers/promises'
import type { PlannedFault } from '../schedule/draw-schedule.ts'
import type { Effect, FaultDeps, Inject } from './effect.ts'

interface Engine {
  kill(): Promise<boolean>
  stop(): Promise<boolean>
  start(): Promise<void>
}

const engineOf = ({ victims }: PlannedFault, { stack }: FaultDeps): Engine =>
  victims[0] === 'kafka' ? stack.kafka : stack.postgres

/** Ends an engine and restarts it after a delay; resolves when it answers. */
async function restart(fault: PlannedFault, deps: FaultDeps, end: 'kill' | 'stop'): Promise<Effect> {
  const engine = engineOf(fault, deps)
  const confirmed = await engine[end]()
  const downSince = performance.now()
  await delay(fault.lasts_ms, undefined, { signal: deps.signal })
  await engine.start()
  return { confirmed, detail: `down for ${Math.round(performance.now() - downSince)} ms` }
}

export const killEngine: Inject = (fault, deps) => restart(fault, deps, 'kill')
export const stopEngine: Inject = (fault, deps) => restart(fault, deps, 'stop')
