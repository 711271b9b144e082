import { endProcess } from '@streamledger/engines'
import type { StackProcess } from './stack-file.ts'

// Time for a drain; what is not gone by then is killed.
const END_DEADLINE_MS = 12_000

/** Ends the services of a supervisor that was killed. The engines see to their own folders. */
export async function endLeftovers(leftovers: readonly StackProcess[], report: (line: string) => void): Promise<void> {
  const ended = await Promise.all(
    leftovers.map(async ({ role, name, pid }) => {
      // A pid may be somebody else's by now: only a process that runs the service's own file is ended.
      const words = [`services/${role}/src/main.ts`]
      return (await endProcess(pid, { words, signal: 'SIGTERM', deadlineMs: END_DEADLINE_MS })) ? name : undefined
    }),
  )
  const names = ended.filter((name) => name !== undefined)
  if (names.length > 0) report(`ended what an earlier run left behind: ${names.join(', ')}`)
}
