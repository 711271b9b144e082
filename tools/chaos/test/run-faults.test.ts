import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { FaultDeps } from '../src/faults/effect.ts'
import { type InjectedFault, runFaults } from '../src/faults/run-faults.ts'
import type { PlannedFault } from '../src/schedule/draw-schedule.ts'

interface Engine {
  /** What was done to it, in order. */
  done: string[]
  kill(): Promise<boolean>
  stop(): Promise<boolean>
  start(): Promise<void>
}

/** An engine that takes a moment to come back. */
function makeEngine({ start = () => delay(30) }: { start?: () => Promise<void> } = {}): Engine {
  const done: string[] = []
  const note = async (what: string) => {
    done.push(what)
    return true
  }
  return {
    done,
    kill: () => note('kill'),
    stop: () => note('stop'),
    start: async () => {
      await start()
      done.push('start')
    },
  }
}

function makeDeps({ kafka = makeEngine(), postgres = makeEngine(), signal = new AbortController().signal }) {
  const deps = { stack: { kafka, postgres }, inFlight: () => 0, orderExports: () => {}, signal }
  return { kafka, postgres, deps: deps as unknown as FaultDeps }
}

const plan = (...kinds: PlannedFault['kind'][]): PlannedFault[] =>
  kinds.map((kind, index) => {
    const victims = [kind.startsWith('broker') ? 'kafka' : 'postgres']
    return { index, kind, victims, after_ms: 0, lasts_ms: 1 }
  })

test('a fault waits until its victim is well again, and not for anybody else', async () => {
  const { kafka, postgres, deps } = makeDeps({})
  const injected: InjectedFault[] = []
  const faults = plan('broker_killed', 'postgres_killed', 'broker_stopped')
  await runFaults(deps, { faults, goesOn: () => true, onInjected: (fault) => injected.push(fault) })
  expect(kafka.done).toEqual(['kill', 'start', 'stop', 'start'])
  expect(postgres.done).toEqual(['kill', 'start'])
  expect(injected.map(({ confirmed }) => confirmed)).toEqual([true, true, true])
  expect(injected.find(({ kind }) => kind === 'postgres_killed')?.beside).toBe(1)
})

test('no fault is begun when the time is up, and those under way are waited for', async () => {
  const { kafka, postgres, deps } = makeDeps({})
  const faults = plan('broker_killed', 'postgres_killed')
  await runFaults(deps, { faults, goesOn: ({ index }) => index < 1, onInjected: () => {} })
  expect(kafka.done).toEqual(['kill', 'start'])
  expect(postgres.done).toEqual([])
})

test('a fault that is not recovered from ends the run, named, once the others are over', async () => {
  const postgres = makeEngine({ start: () => Promise.reject(new Error('it does not come back')) })
  const { kafka, deps } = makeDeps({ postgres })
  const faults = plan('broker_killed', 'postgres_killed', 'postgres_stopped')
  const running = runFaults(deps, { faults, goesOn: () => true, onInjected: () => {} })
  await expect(running).rejects.toThrow('fault 1, postgres_killed of postgres: it does not come back')
  expect(kafka.done).toEqual(['kill', 'start'])
  expect(postgres.done).toEqual(['kill'])
})

test('a stop begins nothing behind the back of whoever stops the rest', async () => {
  const stop = new AbortController()
  const { kafka, deps } = makeDeps({ signal: stop.signal })
  const [fault] = plan('broker_killed') as [PlannedFault]
  const faults = [{ ...fault, lasts_ms: 60_000 }]
  const running = runFaults(deps, { faults, goesOn: () => true, onInjected: () => {} })
  setTimeout(() => stop.abort(new Error('stopped')), 20)
  await expect(running).rejects.toThrow(/stopped|aborted/)
  expect(kafka.done).toEqual(['kill'])
})
