import type { FaultLog } from './fault-log.ts'
import { renderCount } from './render-table.ts'

/** For each kind of fault that was found: its count and its examples. Empty without faults. */
export function renderFaults<Kind extends string>({ counts, examples }: FaultLog<Kind>): string[] {
  const kinds = (Object.keys(counts) as Kind[]).filter((kind) => counts[kind] > 0)
  return kinds.flatMap((kind) => {
    const shown = examples.filter((fault) => fault.kind === kind).map(({ message }) => `  ${message}`)
    return [`${kind}: ${renderCount(counts[kind])}`, ...shown, '']
  })
}
