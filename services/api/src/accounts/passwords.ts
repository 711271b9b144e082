import { randomBytes } from 'node:crypto'
import argon2 from 'argon2'
import { commonPasswords } from './common-passwords.ts'
import { AccountError } from './errors.ts'
import { createGate, type Gate } from './gate.ts'

// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
export const MEMORY_KIB = 19_456
const PASSES = 2
const LANES = 1
const VERSION = 0x13
const SALT_BYTES = 16
const HASH_BYTES = 32

export interface Passwords {
  /** @throws AccountError `password_common`, `sign_in_busy` */
  hash(password: string): Promise<string>
  /**
   * Waits for a turn to hash, and keeps it while `work` lasts.
   *
   * @throws AccountError `sign_in_busy`
   */
  inTurn<T>(work: (turn: Turn) => Promise<T>): Promise<T>
  /** Whether a hash was made with outdated parameters. */
  isOutdated(hash: string): boolean
  /** How many callers are hashing, and how many wait for a turn. */
  readonly load: Pick<Gate, 'running' | 'waiting'>
}

export interface Turn {
  /**
   * Does the same work with and without a hash, so that the time it takes does not reveal whether an account exists.
   */
  verify(password: string, hash: string | undefined): Promise<boolean>
  /** Hashes a password that was accepted earlier, even if it is too common today. */
  rehash(password: string): Promise<string>
}

export interface PasswordsOptions {
  hashesMax: number
  waitingMax: number
  /** Less only in tests, which sign up hundreds of users. */
  memoryKib?: number
}

/** argon2id off the main thread, at most `hashesMax` at once: each takes 19 MiB, and one core for 20 to 40 ms. */
export function createPasswords({ hashesMax, waitingMax, memoryKib = MEMORY_KIB }: PasswordsOptions): Passwords {
  const gate = createGate({ runningMax: hashesMax, waitingMax, full: () => new AccountError('sign_in_busy') })
  const parameters = { memoryCost: memoryKib, timeCost: PASSES, parallelism: LANES, version: VERSION }
  const dummyHash = makeDummyHash(memoryKib)

  const hash = (password: string): Promise<string> =>
    argon2.hash(password, { ...parameters, type: argon2.argon2id, hashLength: HASH_BYTES })
  const turn: Turn = { verify: (password, known) => argon2.verify(known ?? dummyHash, password), rehash: hash }

  return {
    hash: async (password) => {
      if (commonPasswords.has(password.toLowerCase())) throw new AccountError('password_common')
      return gate.enter(() => hash(password))
    },
    inTurn: (work) => gate.enter(() => work(turn)),
    isOutdated: (known) => !known.startsWith('$argon2id$') || argon2.needsRehash(known, parameters),
    load: gate,
  }
}

/** Random bytes in the format of a hash. Checking it costs as much as any other, and no password matches it. */
function makeDummyHash(memoryKib: number): string {
  const [salt, hash] = [SALT_BYTES, HASH_BYTES].map((bytes) => randomBytes(bytes).toString('base64').replace(/=+$/, ''))
  return `$argon2id$v=${VERSION}$m=${memoryKib},t=${PASSES},p=${LANES}$${salt}$${hash}`
}
