import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'

const VERSION = '4.32.5'
const CACHE = resolve(import.meta.dirname, '../../../.local')
const FOLDER = join(CACHE, `schemathesis-${VERSION}`)
const HINT = 'Python 3.10 or newer with venv and pip is needed to install schemathesis'
const INSTALL_DEADLINE_MS = 600_000

/**
 * Installs schemathesis below .local, once.
 *
 * @returns the path of the Python that has it
 * @throws Error, one line, if it cannot be installed
 */
export async function installSchemathesis(log: (line: string) => void, signal: AbortSignal): Promise<string> {
  // Run as a module: the scripts that pip writes into bin contain the path of the draft folder.
  const python = join(FOLDER, 'bin', 'python')
  if (existsSync(FOLDER)) return python
  log(`installing schemathesis ${VERSION} with pip, once`)
  mkdirSync(CACHE, { recursive: true })
  const draft = `${FOLDER}.draft-${process.pid}`
  try {
    await run('python3', ['-m', 'venv', draft], signal)
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary=:all:']
    await run(join(draft, 'bin', 'python'), [...pip, `schemathesis==${VERSION}`], signal)
    renameSync(draft, FOLDER)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return python
}

function run(program: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'], timeout: INSTALL_DEADLINE_MS, signal })
  return new Promise((done, reject) => {
    child.once('error', (cause) => reject(new Error(`${HINT} (${cause.message})`, { cause })))
    child.once('exit', (code) => {
      if (code === 0) done()
      else reject(new Error(`${HINT}: ${program} ended with ${code}`))
    })
  })
}
