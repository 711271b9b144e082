import { randomBytes } from 'node:crypto'
import argon2 from 'argon2'
import { ApiError, type InputFault } from '../errors.ts'
import { commonPasswords } from './common-passwords.ts'
import { createGate, type Gate } from './gate.ts'

// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
export const MEMORY_KIB = 19_456
const PASSES = 2
const LANES = 1
const VERSION = 0x13
const SALT_BYTES = 16
const HASH_BYTES = 32
const TOO_COMMON: InputFault = { in: 'body', pointer: '/password', reason: 'is too common' }

export interface Passwords {
  /** @throws ApiError `password_common`, `sign_in_busy` */
  hash(password: string): Promise<string>
  /**
   * Waits for a turn, and keeps it while `work` lasts.
   *
   * @throws ApiError `sign_in_busy`
   */
  inTurn<T>(work: (check: CheckPassword) => Promise<T>): Promise<T>
  /** How many callers are hashing, and how many wait for a turn. */
  readonly load: Pick<Gate, 'running' | 'waiting'>
}

/**
 * Does the same work with and without a hash, so that the time it takes does not reveal whether an account exists.
 *
 * @throws ApiError `sign_in_busy`
 */
type CheckPassword = (password: string, hash: string | undefined) => Promise<CheckedPassword>

interface CheckedPassword {
  isRight: boolean
  /** A new hash of a right password, if the old one was made with outdated parameters. */
  rehashed: string | undefined
}

export interface PasswordsOptions {
  hashesMax: number
  waitingMax: number
  /** How long a caller may take in all. */
  timeoutMs: number
  /** Less only in tests, which sign up hundreds of users. */
  memoryKib?: number
}

/**
 * How many log-ins may have a turn for each hash that runs: while one hashes, another is in the database. Not more,
 * because failed log-ins from one network write one row, and one after the other.
 */
const TURNS_PER_HASH = 2

/** argon2id off the main thread, at most `hashesMax` at once: each takes 19 MiB, and one core for 20 to 40 ms. */
export function createPasswords({
  hashesMax,
  waitingMax,
  timeoutMs,
  memoryKib = MEMORY_KIB,
}: PasswordsOptions): Passwords {
  const busy = () => new ApiError('sign_in_busy')
  const turnsMax = hashesMax * TURNS_PER_HASH
  const turns = createGate({ runningMax: turnsMax, waitingMax, timeoutMs, busy })
  // A gate of its own: no place for a hash is held while its caller waits for the database.
  const hashes = createGate({ runningMax: hashesMax, waitingMax: turnsMax, timeoutMs, busy })
  const parameters = { memoryCost: memoryKib, timeCost: PASSES, parallelism: LANES, version: VERSION }
  const dummyHash = makeDummyHash(memoryKib)

  const hash = (password: string): Promise<string> =>
    argon2.hash(password, { ...parameters, type: argon2.argon2id, hashLength: HASH_BYTES })
  const isOutdated = (known: string) => !known.startsWith('$argon2id$') || argon2.needsRehash(known, parameters)
  const check: CheckPassword = (password, known) =>
    hashes.enter(async () => {
      const isRight = await argon2.verify(known ?? dummyHash, password)
      // Also a password that is too common today, since it was accepted earlier.
      const rehashed = isRight && known !== undefined && isOutdated(known) ? await hash(password) : undefined
      return { isRight, rehashed }
    })

  return {
    hash: async (password) => {
      if (commonPasswords.has(password.toLowerCase())) throw new ApiError('password_common', { errors: [TOO_COMMON] })
      return turns.enter(() => hashes.enter(() => hash(password)))
    },
    inTurn: (work) => turns.enter(() => work(check)),
    load: {
      get running() {
        return hashes.running
      },
      get waiting() {
        return turns.waiting
      },
    },
  }
}

/** Random bytes in the format of a hash. Checking it costs as much as any other, and no password matches it. */
function makeDummyHash(memoryKib: number): string {
  const [salt, hash] = [SALT_BYTES, HASH_BYTES].map((bytes) => randomBytes(bytes).toString('base64').replace(/=+$/, ''))
  return `$argon2id$v=${VERSION}$m=${memoryKib},t=${PASSES},p=${LANES}$${salt}$${hash}`
}
