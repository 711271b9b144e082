import { type SpawnOptions, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { withoutNpmVariables } from '../../bootstrap.mjs'
import { ROOT } from '../../src/local-config.ts'

/** The newest release that CHANGELOG.md has a section of. */
export function newestRelease(changelog: string): string | undefined {
  return /^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}$/m.exec(changelog)?.[1]
}

/** A folder with the files of a release, and what it pins installed; made once. */
export async function takeRelease(version: string): Promise<string> {
  const commit = await findCommit(version)
  const folder = join(ROOT, '.local', 'releases', commit)
  const done = join(folder, '.taken')
  if (existsSync(done)) return folder
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const archive = join(folder, 'release.tar')
  await run('git', ['archive', '--output', archive, commit], { cwd: ROOT })
  await run('tar', ['--extract', '--file', archive], { cwd: folder })
  const { config } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  const install = ['install', '--frozen-lockfile', '--prefer-offline', '--config.confirmModulesPurge=false']
  await run('npx', ['--yes', `pnpm@${config.pnpm}`, ...install], { cwd: folder, env: withoutNpmVariables(process.env) })
  await writeFile(done, '')
  return folder
}

/** A release is the first commit whose CHANGELOG.md has its heading; tags do not come along everywhere. */
async function findCommit(version: string): Promise<string> {
  const search = ['log', '--reverse', '--format=%H', `-S## [${version}] - `, '--', 'CHANGELOG.md']
  const [commit] = (await run('git', search, { cwd: ROOT })).trim().split('\n')
  if (commit) return commit
  throw new Error(`no commit gives CHANGELOG.md its section of ${version}: is the history here whole?`)
}

async function run(command: string, args: readonly string[], options: SpawnOptions): Promise<string> {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let all = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    all += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    all += text
  })
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  if (code !== 0) throw new Error(`${command} ${args[0]} ended with ${code}:\n${all}`)
  return stdout
}
