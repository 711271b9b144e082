import { readdirSync, readlinkSync } from 'node:fs'

/** The open files of a process. Only Linux lists them; on other systems the list is empty. */
export function listOpenFiles(pid: number): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync(`/proc/${pid}/fd`).map((descriptor) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${descriptor}`)
    } catch {
      return '' // closed in the meantime
    }
  })
}
