/** A step whose outcome is unknown because it took too long. */
export class DeadlineError extends Error {
  override name = 'DeadlineError'
}

/** The result of `promise`, unless it takes longer than `ms`: kafkajs has promises that never settle. */
export async function withDeadline<T>(what: string, ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(`${what} took longer than ${ms} ms`)), ms)
  })
  // If it loses the race, its own late rejection is nobody's business any more.
  promise.catch(() => {})
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
