/**
 * An error for the log, without Postgres's `detail` and similar fields: they quote rows, which contain personal data.
 */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) }
  const { name, message, stack, cause } = error
  const { code, constraint } = error as { code?: unknown; constraint?: unknown }
  return { name, message, code, constraint, stack, ...(cause !== undefined && { cause: describeError(cause) }) }
}
