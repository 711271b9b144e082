import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** True while the kernel reports the process as stopped by SIGSTOP. */
export function isStopped(pid: number): boolean {
  return readState(pid).startsWith('T')
}

function readState(pid: number): string {
  if (process.platform !== 'linux') {
    return spawnSync('ps', ['-o', 'state=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim()
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2) // the name before it may hold anything
  } catch {
    return ''
  }
}
