/** An error as a log line has it: without `detail` and whatever else Postgres adds, which quotes rows, and rows have people in them. */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  const { code, constraint } = error as { code?: unknown; constraint?: unknown }
  return { name, message, code, constraint, stack, ...(cause !== undefined && { cause: describeError(cause) }) }
}
