import { spawnSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { EngineError } from './engine-error.ts'

const CANDIDATES = ['postgres', 'nobody']

// Bits of a Linux capability set, from linux/capability.h.
const CAP_DAC_OVERRIDE = 1
const CAP_DAC_READ_SEARCH = 2

type UserIds = { uid: number; gid: number }

/** How to run PostgreSQL's programs: as the current user, or, if that is root, as another user. */
export type PostgresUser = {
  /** Undefined: the current user is not root, and owns the files. */
  readonly ids: UserIds | undefined
  command(
    program: string,
    args: readonly string[],
  ): { command: string; args: readonly string[]; uid?: number; gid?: number }
}

/**
 * Chooses the user for PostgreSQL. For existing data this is its owner, because PostgreSQL refuses data of other users.
 */
export function choosePostgresUser(paths: { program: string; home: string; data: string }): PostgresUser {
  if (process.getuid?.() !== 0) return { ids: undefined, command: (command, args) => ({ command, args }) }

  const ids = ownerOf(paths.data) ?? findCandidate()
  if (canReach(ids, paths)) return { ids, command: (command, args) => ({ command, args, ...ids }) }

  const wrapper = capabilityWrapper(ids)
  if (!canReachWrapped(wrapper, paths)) throw new EngineError('postgres_path_closed', { detail: paths.home })
  return { ids, command: (program, args) => ({ command: 'setpriv', args: [...wrapper, program, ...args] }) }
}

function ownerOf(path: string): UserIds | undefined {
  const stats = statSync(path, { throwIfNoEntry: false })
  return stats && stats.uid !== 0 ? { uid: stats.uid, gid: stats.gid } : undefined
}

function findCandidate(): UserIds {
  for (const name of CANDIDATES) {
    const uid = idOf('-u', name)
    const gid = idOf('-g', name)
    if (uid && gid) return { uid, gid }
  }
  throw new EngineError('postgres_user_missing')
}

function idOf(flag: string, name: string): number | undefined {
  const { status, stdout } = spawnSync('id', [flag, name], { encoding: 'utf8' })
  return status === 0 ? Number(stdout) : undefined
}

// `test` uses access(2), as PostgreSQL does for its own program. So the probe fails where PostgreSQL would.
const PROBE = ['-c', 'test -x "$0" && test -x "$1"']

function canReach(ids: UserIds, { program, home }: { program: string; home: string }): boolean {
  return spawnSync('/bin/sh', [...PROBE, program, home], { ...ids, cwd: '/' }).status === 0
}

function canReachWrapped(wrapper: readonly string[], { program, home }: { program: string; home: string }): boolean {
  return spawnSync('setpriv', [...wrapper, '/bin/sh', ...PROBE, program, home], { cwd: '/' }).status === 0
}

/**
 * A clone may be below a folder that only root may enter (mktemp -d creates such folders). We must not open that folder
 * to others, so PostgreSQL gets the one capability that lets it pass. The secure bit is needed because access(2) drops
 * the capabilities of a process that is not root.
 */
function capabilityWrapper({ uid, gid }: UserIds): string[] {
  const capability =
    hasCapability(CAP_DAC_READ_SEARCH) || !hasCapability(CAP_DAC_OVERRIDE) ? 'dac_read_search' : 'dac_override'
  const only = `-all,+${capability}`
  return [
    ...['--reuid', String(uid), '--regid', String(gid), '--clear-groups', '--securebits', '+no_setuid_fixup'],
    ...['--inh-caps', only, '--ambient-caps', only, '--bounding-set', only, '--'],
  ]
}

function hasCapability(bit: number): boolean {
  try {
    const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
    return ((BigInt(`0x${effective}`) >> BigInt(bit)) & 1n) === 1n
  } catch {
    return false
  }
}
