const CALL_TIMEOUT_MS = 15_000

type Call = { body?: unknown; status: number }

/** A client for one user of the API. Every call gives the expected status, and fails on any other. */
export function createApiClient(base: string) {
  let authorization: Record<string, string> = {}

  const send = async (url: string | URL, init: RequestInit, status: number) => {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(CALL_TIMEOUT_MS) })
    if (response.status === status) return response
    const text = (await response.text()).slice(0, 500)
    throw new Error(`${init.method} ${url} was answered ${response.status}, not ${status}: ${text}`)
  }
  return {
    authorize: (token: string) => {
      authorization = { authorization: `Bearer ${token}` }
    },
    call: async (method: string, path: string, { body, status }: Call) => {
      const init: RequestInit = { method, headers: authorization }
      if (body !== undefined) {
        init.headers = { ...authorization, 'content-type': 'application/json' }
        init.body = JSON.stringify(body)
      }
      const response = await send(`${base}${path}`, init, status)
      const text = await response.text()
      return { text, json: text ? (JSON.parse(text) as unknown) : undefined, headers: response.headers }
    },
    download: async (url: URL): Promise<Buffer> => {
      const response = await send(url, { method: 'GET', headers: authorization }, 200)
      return Buffer.from(await response.arrayBuffer())
    },
  }
}
