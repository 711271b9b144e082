import type { FaultLog } from './fault-log.ts'
import { renderCount } from './render-table.ts'

/** The examples of each kind of fault that there is, and how many more there are; nothing when there are none. */
export function renderFaults<Kind extends string>({ counts, examples }: FaultLog<Kind>): string[] {
  const kinds = (Object.keys(counts) as Kind[]).filter((kind) => counts[kind] > 0)
  return kinds.flatMap((kind) => {
    const shown = examples.filter((fault) => fault.kind === kind).map(({ message }) => `  ${message}`)
    return [`${kind}: ${renderCount(counts[kind])}`, ...shown, '']
  })
}
