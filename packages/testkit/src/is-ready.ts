/** Whether a service says that it is ready; one that says nothing within the time is not. */
export async function isReady(opsUrl: string, timeoutMs: number): Promise<boolean> {
  try {
    const response = await fetch(`${opsUrl}/health/ready`, { signal: AbortSignal.timeout(timeoutMs) })
    await response.body?.cancel()
    return response.status === 200
  } catch {
    return false
  }
}
