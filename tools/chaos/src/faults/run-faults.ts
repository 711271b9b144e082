import { setTimeout as delay } from 'node:timers/promises'
import type { PlannedFault } from '../schedule/draw-schedule.ts'
import type { FaultKind } from '../schedule/fault-kinds.ts'
import type { Effect, FaultDeps, Inject } from './effect.ts'
import { cutConnections, hangConnections } from './inject-into-connections.ts'
import { killEngine, stopEngine } from './inject-into-engine.ts'
import { killApi, killExporter, killRelay, pauseApi, pauseExporter, pauseRelay } from './inject-into-replica.ts'
import { scaleReplicas } from './scale-replicas.ts'

const INJECT: Readonly<Record<FaultKind, Inject>> = {
  relay_killed: killRelay,
  relay_paused: pauseRelay,
  api_killed: killApi,
  api_paused: pauseApi,
  broker_killed: killEngine,
  broker_stopped: stopEngine,
  postgres_killed: killEngine,
  postgres_stopped: stopEngine,
  exporter_killed: killExporter,
  exporter_paused: pauseExporter,
  api_database_cut: cutConnections,
  api_database_hung: hangConnections,
  relay_database_cut: cutConnections,
  relay_database_hung: hangConnections,
  relay_broker_cut: cutConnections,
  relay_broker_hung: hangConnections,
  relay_scaled: scaleReplicas,
  api_scaled: scaleReplicas,
}

/** Maximum number of concurrent faults. */
const ACTIVE_MAX = 5
const POLL_MS = 10

export interface InjectedFault extends PlannedFault, Effect {
  began_at: string
  /** Time until its victims had recovered. */
  took_ms: number
  /** Number of other active faults when it began. */
  beside: number
}

export interface RunFaults {
  readonly faults: Iterable<PlannedFault>
  /** Called before each fault: whether to inject it. */
  readonly goesOn: (fault: PlannedFault) => boolean
  readonly onInjected: (fault: InjectedFault) => void
}

/** Injects the faults, each at its time and once its victim has recovered; resolves when all are over. */
export async function runFaults(deps: FaultDeps, { faults, goesOn, onInjected }: RunFaults): Promise<void> {
  const active = new Map<string, Promise<void>>()
  const failed = new AbortController()
  const signal = AbortSignal.any([deps.signal, failed.signal])
  try {
    for (const fault of faults) {
      if (!goesOn(fault)) break
      await delay(fault.after_ms, undefined, { signal })
      while (countFaults(active) >= ACTIVE_MAX || fault.victims.some((victim) => active.has(victim))) {
        await delay(POLL_MS, undefined, { signal })
      }
      signal.throwIfAborted()
      const beside = countFaults(active)
      const one = injectOne(fault, { ...deps, signal }, beside)
        .then(onInjected, (error: Error) => {
          failed.abort(new Error(`fault ${fault.index}, ${fault.kind} of ${fault.victims}: ${error.message}`))
        })
        .finally(() => {
          for (const victim of fault.victims) active.delete(victim)
        })
      for (const victim of fault.victims) active.set(victim, one)
    }
  } catch (error) {
    if (!signal.aborted) throw error // an aborted wait does not give the reason
  } finally {
    // Also during a stop: no fault may restart a process after that.
    await Promise.all(active.values())
  }
  signal.throwIfAborted()
}

const countFaults = (active: ReadonlyMap<string, Promise<void>>): number => new Set(active.values()).size

async function injectOne(fault: PlannedFault, deps: FaultDeps, beside: number): Promise<InjectedFault> {
  const startedAt = performance.now()
  const began_at = new Date().toISOString()
  const effect = await INJECT[fault.kind](fault, deps)
  return { ...fault, ...effect, began_at, took_ms: Math.round(performance.now() - startedAt), beside }
}
