/** Whether a service reports that it is ready. No answer within the time counts as not ready. */
export async function isReady(opsUrl: string, timeoutMs: number): Promise<boolean> {
  try {
    const response = await fetch(`${opsUrl}/health/ready`, { signal: AbortSignal.timeout(timeoutMs) })
    await response.body?.cancel()
    return response.status === 200
  } catch {
    return false
  }
}
