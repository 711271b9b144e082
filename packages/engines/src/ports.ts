import { randomInt } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { EngineError } from './engine-error.ts'
import { isProcess } from './processes.ts'

const HOST = '127.0.0.1'

// Below every system's range for outgoing connections, so that no client socket can take a port between choice and use.
const PICKED_PORT_MIN = 20_000
const PICKED_PORT_MAX = 32_000
const PICK_ATTEMPTS_MAX = 50

/** Says whether a server could listen on this port of 127.0.0.1 now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host: HOST, exclusive: true }, () => probe.close(() => resolve(true)))
  })
}

/** Picks a port that nobody listens on, and that no other living process has picked: a server that is killed comes back to its own. */
export async function pickFreePort(): Promise<number> {
  for (let attempt = 0; attempt < PICK_ATTEMPTS_MAX; attempt++) {
    const port = randomInt(PICKED_PORT_MIN, PICKED_PORT_MAX)
    if (reservePort(port) && (await isPortFree(port))) return port
  }
  throw new EngineError('port_busy', { detail: `No free port in ${PICK_ATTEMPTS_MAX} tries.` })
}

/** A file for each port that has been picked, with the process that did. */
const RESERVATIONS = join(tmpdir(), `streamledger-ports-${userInfo().uid}`)

/** Makes a port this process's, unless somebody has it. One whose process is gone is free for the next who asks. */
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

/** Takes the wanted port, or says in one line which one is busy and what to do about it; picks one if none is wanted. */
export async function claimPort({ port, owner, variable }: PortClaim): Promise<number> {
  if (port === undefined) return pickFreePort()
  if (await isPortFree(port)) return port
  const remedy = variable ? `set ${variable} to another port` : 'choose another port'
  throw new EngineError('port_busy', { detail: `${owner} wants ${port}: end the program that has it, or ${remedy}.` })
}
