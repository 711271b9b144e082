import { until } from './until.ts'

interface ExportState {
  export_id: string
  status: string
  rows_done: number
}

export interface ExportClient {
  /** Orders an export, waits for its file, checks and removes it. Returns how many seconds it took. */
  exportOnce(): Promise<number>
}

const POLL_INTERVAL_MS = 100
const EXPORT_TIMEOUT_MS = 300_000
const UNFINISHED = new Set(['queued', 'running'])

/** Orders exports as a client of the API does. */
export function createExportClient(
  url: string,
  token: string,
  { rows, signal }: { rows: number; signal: AbortSignal },
): ExportClient {
  const call = async (method: string, path: string, status: number): Promise<Response> => {
    const response = await fetch(`${url}/api/v1/transactions${path}`, {
      ...{ method, signal },
      headers: { authorization: `Bearer ${token}` },
    })
    if (response.status !== status) throw new Error(`${method} ${path} was answered ${response.status}`)
    return response
  }
  return {
    exportOnce: async () => {
      const orderedAt = performance.now()
      let state = (await (await call('POST', '/export', 202)).json()) as ExportState
      const path = `/exports/${state.export_id}`
      const isOver = async () => {
        state = (await (await call('GET', path, 200)).json()) as ExportState
        return !UNFINISHED.has(state.status)
      }
      await until(isOver, {
        ...{ what: 'the export has ended', timeoutMs: EXPORT_TIMEOUT_MS, intervalMs: POLL_INTERVAL_MS, signal },
      })
      const seconds = (performance.now() - orderedAt) / 1_000
      if (state.status !== 'succeeded') throw new Error(`the export is ${state.status}`)
      if (state.rows_done !== rows) throw new Error(`the export has ${state.rows_done} rows, not ${rows}`)
      await call('DELETE', path, 204)
      return seconds
    },
  }
}
