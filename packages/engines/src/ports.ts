import { randomInt } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { EngineError } from './engine-error.ts'
import { isProcess } from './processes.ts'

const HOST = '127.0.0.1'

// Below the range for outgoing connections of all systems, so that no client socket can take a port before it is used.
const PICKED_PORT_MIN = 20_000
const PICKED_PORT_MAX = 32_000
const PICK_ATTEMPTS_MAX = 50

/** Whether a server can listen on this port of 127.0.0.1 now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host: HOST, exclusive: true }, () => probe.close(() => resolve(true)))
  })
}

/**
 * Picks a port that is not in use and not picked by another living process. So a killed server can restart on its port.
 */
export async function pickFreePort(): Promise<number> {
  for (let attempt = 0; attempt < PICK_ATTEMPTS_MAX; attempt++) {
    const port = randomInt(PICKED_PORT_MIN, PICKED_PORT_MAX)
    if (reservePort(port) && (await isPortFree(port))) return port
  }
  throw new EngineError('port_busy', { detail: `No free port in ${PICK_ATTEMPTS_MAX} tries.` })
}

/** Has a file for each picked port, with the pid of the process that picked it. */
const RESERVATIONS = join(tmpdir(), `streamledger-ports-${userInfo().uid}`)

/** Reserves a port for this process. False if it is reserved; a reservation of a dead process is then removed. */
export function reservePort(port: number): boolean {
  mkdirSync(RESERVATIONS, { recursive: true })
  const file = join(RESERVATIONS, String(port))
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    return true
  } catch {
    if (!isOwned(file)) rmSync(file, { force: true })
    return false
  }
}

function isOwned(file: string): boolean {
  try {
    return isProcess(Number(readFileSync(file, 'utf8')), [])
  } catch {
    return false
  }
}

export type PortClaim = {
  port: number | undefined
  owner: string
  /** The environment variable that moves the port, for the message. */
  variable?: string | undefined
}

/** Returns the wanted port, or picks one if none is wanted. @throws EngineError, one line, if the port is busy */
export async function claimPort({ port, owner, variable }: PortClaim): Promise<number> {
  if (port === undefined) return pickFreePort()
  if (await isPortFree(port)) return port
  const remedy = variable ? `set ${variable} to another port` : 'choose another port'
  throw new EngineError('port_busy', { detail: `${owner} needs ${port}: end the program that uses it, or ${remedy}.` })
}
