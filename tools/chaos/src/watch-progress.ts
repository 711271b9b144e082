import type { Screen } from '@streamledger/engines'
import type { InjectedFault } from './faults/run-faults.ts'
import type { Load } from './load/load.ts'
import type { Stack } from './stack/open-stack.ts'

export interface WatchProgress {
  readonly screen: Screen
  readonly stack: Stack
  readonly load: Load
  readonly injected: readonly InjectedFault[]
}

const EVERY_MS = 10_000

/** Prints progress, and which engines are down, at intervals. */
export function watchProgress({ screen, stack, load, injected }: WatchProgress): { stop(): void } {
  let answeredBefore = 0
  const timer = setInterval(async () => {
    const { answered, cut_off } = load.counts
    const perSecond = Math.round(((answered - answeredBefore) * 1_000) / EVERY_MS)
    answeredBefore = answered
    const engines = [stack.postgres, stack.kafka].filter(({ isUp }) => !isUp).map(({ name }) => name)
    const down = engines.length > 0 ? `, down: ${engines.join(' and ')}` : ''
    const replicas = [...stack.replicas.values()].filter(({ pid }) => pid !== undefined).length
    screen.progress(
      `${injected.length} faults, ${answered.toLocaleString('en')} orders answered (${perSecond}/s), ${cut_off} requests cut off, ${await countWaiting(stack)} rows waiting, ${replicas} replicas up${down}`,
    )
  }, EVERY_MS)
  return { stop: () => clearInterval(timer) }
}

async function countWaiting({ pool }: Stack): Promise<string> {
  try {
    const { rows } = await pool.query<{ waiting: number }>('select count(*)::int as waiting from outbox')
    return (rows[0]?.waiting ?? 0).toLocaleString('en')
  } catch {
    return 'unknown'
  }
}
