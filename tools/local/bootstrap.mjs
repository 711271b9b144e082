// The only file that runs on the Node of the person who types `npm start`, 20 or newer; everything else runs on the pinned Node.
// It installs what the lockfile pins, unless that is done, and hands over.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
/** What each command runs, in tools/local/src, and its first arguments. */
const COMMANDS = {
  start: ['start.ts'],
  test: ['run-vitest.ts'],
  'test-crash': ['run-vitest.ts', '--config', 'vitest.crash.config.ts'],
  'test-drills': ['run-vitest.ts', '--config', 'vitest.drills.config.ts'],
  'test-containers': ['run-vitest.ts', '--config', 'vitest.containers.config.ts'],
  check: ['check.ts'],
  fix: ['check.ts', '--fix'],
  audit: ['supply-chain.ts', 'audit'],
  sbom: ['supply-chain.ts', 'sbom'],
  bench: ['run-main.ts', 'tools/bench/src/main.ts'],
  chaos: ['run-main.ts', 'tools/chaos/src/main.ts'],
  drill: ['run-main.ts', 'tools/chaos/src/drill-main.ts'],
  fuzz: ['run-main.ts', 'tools/fuzz/src/main.ts'],
  streamledger: ['streamledger.ts'],
}
const NODE_MAJOR_MIN = 20
const STAMP_FILE = join(ROOT, 'node_modules', '.streamledger-installed')
const PINNED_NODE = join(ROOT, 'node_modules', 'node', 'bin', 'node')
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']
const FOLDERS_NEVER_WALKED = new Set(['node_modules', '.git', '.local'])
// A workspace package is at most two folders deep: packages/events.
const PACKAGE_DEPTH_MAX = 2
const PARENT_CHECK_INTERVAL_MS = 500

/** What the installed packages depend on, as one digest: when it changes, they are installed again. */
export function stampOf(root) {
  const digest = createHash('sha256').update(`${process.platform} ${process.arch}`)
  const files = ['pnpm-lock.yaml', 'pnpm-workspace.yaml', ...findPackageFiles(root, '', 0)]
  for (const file of files) digest.update(`\n${file}\n`).update(readFileSync(join(root, file)))
  return digest.digest('hex')
}

function findPackageFiles(root, folder, depth) {
  const entries = readdirSync(join(root, folder), { withFileTypes: true })
  const here = entries.filter((entry) => entry.name === 'package.json').map((entry) => join(folder, entry.name))
  if (depth === PACKAGE_DEPTH_MAX) return here
  const folders = entries.filter((entry) => entry.isDirectory() && !FOLDERS_NEVER_WALKED.has(entry.name))
  const names = folders.map((entry) => entry.name).sort()
  return [...here, ...names.flatMap((name) => findPackageFiles(root, join(folder, name), depth + 1))]
}

/** npm hands its whole configuration to scripts as variables; to the next npm or pnpm they are settings it complains about. */
export function withoutNpmVariables(env) {
  // Where packages come from, and how to get there, is the person's own setting: that much is passed on.
  const kept =
    /^npm_config_(registry|cache|userconfig|globalconfig|https?_?proxy|proxy|noproxy|cafile|strict_ssl|.*:_?auth.*)$/i
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('npm_') || kept.test(name)))
}

async function install() {
  const stamp = stampOf(ROOT)
  if (existsSync(STAMP_FILE) && existsSync(PINNED_NODE) && readFileSync(STAMP_FILE, 'utf8') === stamp) return
  const { config } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const startedAt = Date.now()
  console.log('Installing what pnpm-lock.yaml pins. The next start will find it.')
  const args = ['--yes', `pnpm@${config.pnpm}`, 'install', '--frozen-lockfile', '--config.confirmModulesPurge=false']
  // Without a stdin nothing can stop to ask.
  const options = { cwd: ROOT, env: withoutNpmVariables(process.env), stdio: ['ignore', 'inherit', 'inherit'] }
  const { code, error } = await run('npx', args, options)
  if (error) fail(`npx could not be run (${error.message}): install npm, which comes with Node.`)
  if (code !== 0) fail('The installation failed, see above. Check the network, then try again.')
  if (!existsSync(PINNED_NODE)) fail(`The installation left no ${PINNED_NODE}: delete node_modules, then try again.`)
  writeFileSync(STAMP_FILE, stamp)
  console.log(`Installed in ${Math.round((Date.now() - startedAt) / 1000)} s.`)
}

/** Runs a program to its end, passing signals on; it alone decides when to go. */
function run(command, args, options) {
  return new Promise((resolve) => {
    const child = spawn(command, args, options)
    const forward = (signal) => child.kill(signal)
    for (const signal of SIGNALS) process.on(signal, forward)
    const watch = watchParent(() => forward('SIGTERM'))
    const settle = (outcome) => {
      clearInterval(watch)
      for (const signal of SIGNALS) process.off(signal, forward)
      resolve(outcome)
    }
    child.once('error', (error) => settle({ code: 1, signal: null, error }))
    child.once('exit', (code, signal) => settle({ code, signal }))
  })
}

/**
 * An npm that is killed at once cannot pass a signal on: then the parent of this process changes. Run without npm, this
 * process may outlive the shell that started it.
 */
function watchParent(onGone) {
  if (!process.env.npm_lifecycle_event) return undefined
  const parent = process.ppid
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    onGone()
  }, PARENT_CHECK_INTERVAL_MS)
  return watch
}

function fail(line) {
  console.error(line)
  process.exit(1)
}

async function main() {
  const major = Number(process.versions.node.split('.')[0])
  if (major < NODE_MAJOR_MIN) fail(`Node ${process.versions.node} is too old: install Node ${NODE_MAJOR_MIN} or newer.`)
  if (process.platform === 'win32') fail('Windows has no embedded PostgreSQL here: use WSL 2.')
  const [name, ...args] = process.argv.slice(2)
  const [file, ...first] = Object.hasOwn(COMMANDS, String(name)) ? COMMANDS[name] : []
  if (!file) fail(`Usage: node tools/local/bootstrap.mjs <${Object.keys(COMMANDS).join('|')}> [arguments]`)
  await install()
  // kafkajs 2.2.4 sets timers that lie in the past; Node 26 remarks on each of them.
  const nodeArgs = [
    '--disable-warning=TimeoutNegativeWarning',
    join(ROOT, 'tools', 'local', 'src', file),
    ...first,
    ...args,
  ]
  // The fourth channel tells the child when this process is killed without a word, so that it can stop in order.
  const options = { cwd: ROOT, env: withoutNpmVariables(process.env), stdio: ['inherit', 'inherit', 'inherit', 'ipc'] }
  const { code, signal, error } = await run(PINNED_NODE, nodeArgs, options)
  if (error) fail(`${PINNED_NODE} could not be run (${error.message}): delete node_modules, then try again.`)
  if (signal) process.kill(process.pid, signal)
  else process.exit(code)
}

// The module's own path has no symbolic links in it, the one that was typed may.
const typed = process.argv[1]
if (typed && existsSync(typed) && realpathSync(typed) === fileURLToPath(import.meta.url)) await main()
