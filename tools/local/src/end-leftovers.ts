import { endProcess } from '@streamledger/engines'
import type { StackProcess } from './stack-file.ts'

// Time for a drain; a process that runs longer is killed.
const END_DEADLINE_MS = 12_000

/** Ends the services of a supervisor that was killed. Engines end leftovers in their own folders. */
export async function endLeftovers(leftovers: readonly StackProcess[], report: (line: string) => void): Promise<void> {
  const ended = await Promise.all(
    leftovers.map(async ({ role, name, pid }) => {
      // The pid may belong to another process by now: only a process that runs the service's file is ended.
      const words = [`services/${role}/src/main.ts`]
      return (await endProcess(pid, { words, signal: 'SIGTERM', deadlineMs: END_DEADLINE_MS })) ? name : undefined
    }),
  )
  const names = ended.filter((name) => name !== undefined)
  if (names.length > 0) report(`ended processes of an earlier run: ${names.join(', ')}`)
}
