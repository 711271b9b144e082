import { randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeAtomically } from './write-atomically.ts'

const SECRET_BYTES = 48

/** The id of this installation, and the secret that signs its tokens. */
export type Identity = { readonly installationId: string; readonly jwtSecret: string }

/** Created once and kept: the database would refuse another id, and another secret would log out every user. */
export function loadIdentity(localDir: string, env: NodeJS.ProcessEnv): Identity {
  mkdirSync(localDir, { recursive: true })
  return {
    installationId: env.INSTALLATION_ID || keep(join(localDir, 'installation'), randomUUID),
    jwtSecret:
      env.JWT_SECRET || keep(join(localDir, 'jwt-secret'), () => randomBytes(SECRET_BYTES).toString('base64url')),
  }
}

function keep(file: string, make: () => string): string {
  try {
    const kept = readFileSync(file, 'utf8').trim()
    if (kept) return kept
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const made = make()
  writeAtomically(file, `${made}\n`)
  return made
}
