import { type Inject, RECOVERY_MAX_MS } from './effect.ts'

/** Adds or drains the replicas that the schedule names. */
export const scaleReplicas: Inject = async ({ kind, victims, replicas }, { stack, signal }) => {
  const role = kind === 'relay_scaled' ? 'relay' : 'api'
  const wanted = replicas?.[role] ?? 0
  const ends = await Promise.all(
    victims.map(async (name) => {
      const replica = stack.replicas.get(name)
      if (!replica) throw new Error(`there is no ${name}`)
      if (Number(name.split('-')[1]) > wanted) {
        const { code, signal } = await replica.stop()
        return code === 0 ? undefined : `${name} ended with ${signal ?? `exit code ${code}`}`
      }
      await replica.start()
      await replica.untilReady(RECOVERY_MAX_MS, signal)
      return undefined
    }),
  )
  const disorder = ends.filter((end) => end !== undefined)
  return { confirmed: true, detail: [`${wanted} of ${role} now`, ...disorder].join(', ') }
}
