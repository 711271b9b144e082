/** A caller that waits for something. Of `resolve` and `reject` only the first call has an effect. */
export interface Waiter<Value> {
  /** The work for this caller begins. */
  begin(): void
  resolve(value: Value): void
  reject(error: unknown): void
}

export interface Deadline {
  /** How long a caller may take. It may wait for half of that. */
  timeoutMs: number
  /** Makes the error for a caller whose time is up. */
  late: () => Error
}

/**
 * Gives a caller of a queue its answer in time, also while the database hangs. `enter` puts the waiter into the queue
 * and returns a function that takes it out; that is called when the time is up.
 *
 * Work that does not begin within half of the time is refused. So work that begins has the other half: an overloaded
 * queue would otherwise work for callers that get a refusal all the same.
 *
 * Work that has begun for the caller goes on, because nothing can end a statement that hangs. So the queue must count
 * it until it ends.
 */
export function inTime<Value>(
  { timeoutMs, late }: Deadline,
  enter: (waiter: Waiter<Value>) => () => void,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    let begun = false
    let leave = () => {}
    const giveUp = () => {
      leave()
      reject(late())
    }
    let timer = setTimeout(() => {
      if (!begun) giveUp()
      else timer = setTimeout(giveUp, timeoutMs / 2)
    }, timeoutMs / 2)
    leave = enter({
      begin: () => {
        begun = true
      },
      resolve: (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      reject: (error) => {
        clearTimeout(timer)
        reject(error)
      },
    })
  })
}
