import { readdirSync, readlinkSync } from 'node:fs'

/** The files that a process has open. Only Linux lists them; elsewhere there is nothing to look at. */
export function listOpenFiles(pid: number): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync(`/proc/${pid}/fd`).map((descriptor) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${descriptor}`)
    } catch {
      return '' // closed since it was listed
    }
  })
}
