import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runToEnd } from './docker-cli.ts'

const APT_TIMEOUT_MS = 300_000
/** Programs, and the packages of Debian that bring them. */
const PACKAGES = {
  dockerd: 'docker.io',
  docker: 'docker.io',
  'iptables-save': 'iptables',
  ip: 'iproute2',
  mmdebstrap: 'mmdebstrap',
} as const
export type Program = keyof typeof PACKAGES

/** The release of Debian that the stand-ins are made of; it is the first one with a docker-compose that knows `name:`. */
export const SUITE = 'trixie'
export const MIRROR = 'http://deb.debian.org/debian'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** Installs what this machine lacks of these, where that can be done; says what is missing where it cannot. */
export async function installPrograms(programs: readonly Program[], log: (line: string) => void): Promise<void> {
  const missing = programs.filter((program) => spawnSync(program, ['--version']).error)
  if (missing.length === 0) return
  const packages = [...new Set(missing.map((program) => PACKAGES[program]))].join(' and ')
  const what = `${missing.join(' and ')} are needed here (Debian: ${packages})`
  if (process.getuid?.() !== 0) throw new Error(`${what}, and only root can install them.`)
  if (spawnSync('apt-get', ['--version']).error) throw new Error(`${what}, and there is no apt-get to install them.`)
  log(`installing ${packages} with apt-get`)
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, timeoutMs: APT_TIMEOUT_MS }
  await runToEnd('apt-get', ['update'], options)
  await runToEnd('apt-get', ['install', '--yes', '--no-install-recommends', ...packages.split(' and ')], options)
}

/** A folder for DOCKER_CONFIG in which `docker compose` is found: Debian's package, unpacked there and not installed. */
export async function fetchComposePlugin(cacheDir: string): Promise<string> {
  const dir = join(cacheDir, `docker-compose-${SUITE}`)
  if (existsSync(dir)) return dir
  const draft = `${dir}.draft`
  rmSync(draft, { recursive: true, force: true })
  const apt = join(draft, 'apt')
  for (const folder of ['lists/partial', 'archives/partial']) mkdirSync(join(apt, folder), { recursive: true })
  writeFileSync(join(apt, 'sources.list'), `deb [signed-by=${KEYRING}] ${MIRROR} ${SUITE} main\n`)
  writeFileSync(join(apt, 'status'), '')
  // An apt of its own: the machine's releases and packages stay as they are.
  const settings = {
    'Dir::Etc::SourceList': join(apt, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::State::Lists': join(apt, 'lists'),
    'Dir::State::Status': join(apt, 'status'),
    'Dir::Cache': apt,
    'Acquire::Languages': 'none',
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['--option', `${name}=${value}`])
  const limits = { timeoutMs: APT_TIMEOUT_MS }
  await runToEnd('apt-get', [...options, 'update'], limits)
  await runToEnd('apt-get', [...options, 'download', 'docker-compose'], { ...limits, cwd: draft })
  const [archive] = globSync('*.deb', { cwd: draft })
  await runToEnd('dpkg-deb', ['--extract', join(draft, archive ?? ''), join(draft, 'package')])
  renameSync(join(draft, 'package/usr/libexec/docker/cli-plugins'), join(draft, 'cli-plugins'))
  for (const folder of [apt, join(draft, 'package')]) rmSync(folder, { recursive: true })
  renameSync(draft, dir)
  return dir
}
