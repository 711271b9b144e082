/** A caller that waits for something. Only the first call has an effect. */
export interface Waiter<Value> {
  resolve(value: Value): void
  reject(error: unknown): void
}

export interface Deadline {
  timeoutMs: number
  /** Makes the error for a caller whose time is up. */
  late: () => Error
}

/**
 * Gives a caller of a queue its answer in time, also while the database hangs. `enter` puts the waiter into the queue
 * and returns a function that takes it out; that is called when the time is up.
 *
 * Work that has begun for the caller goes on, because nothing can end a statement that hangs. So the queue must count
 * it until it ends.
 */
export function inTime<Value>(
  { timeoutMs, late }: Deadline,
  enter: (waiter: Waiter<Value>) => () => void,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      leave()
      reject(late())
    }, timeoutMs)
    const leave = enter({
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
