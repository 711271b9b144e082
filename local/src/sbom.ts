import { pnpmArguments } from './pnpm-arguments.ts'
import { runProgram } from './run-program.ts'

/** `npm run sbom -- --out sbom.json`: what the lockfile pins, for production and for development, as CycloneDX. */
const format = ['--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--lockfile-only']
const { code } = await runProgram('npx', pnpmArguments('sbom', ...format, ...process.argv.slice(2)))
process.exitCode = code ?? 1
