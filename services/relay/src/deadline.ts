/** A step timed out; its outcome is unknown. */
class DeadlineError extends Error {
  override name = 'DeadlineError'
}

/** Rejects if `promise` takes longer than `ms`: some promises of kafkajs never settle. */
export async function withDeadline<T>(what: string, ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(`${what} took longer than ${ms} ms`)), ms)
  })
  // A rejection after the deadline is ignored, so that it does not count as unhandled.
  promise.catch(() => {})
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
