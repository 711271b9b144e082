import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { EngineError } from './engine-error.ts'

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

/** Picks a port that nobody listens on. */
export async function pickFreePort(): Promise<number> {
  for (let attempt = 0; attempt < PICK_ATTEMPTS_MAX; attempt++) {
    const port = randomInt(PICKED_PORT_MIN, PICKED_PORT_MAX)
    if (await isPortFree(port)) return port
  }
  throw new EngineError('port_busy', { detail: `No free port in ${PICK_ATTEMPTS_MAX} tries.` })
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
