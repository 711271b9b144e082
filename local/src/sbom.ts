import { pnpmArguments } from './pnpm-arguments.ts'
import { runProgram } from './run-program.ts'

/** `npm run sbom -- --out sbom.json`: all packages in the lockfile, for production and development, as CycloneDX. */
const format = ['--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--lockfile-only']
const { code } = await runProgram('npx', pnpmArguments('sbom', ...format, ...process.argv.slice(2)))
process.exitCode = code ?? 1
