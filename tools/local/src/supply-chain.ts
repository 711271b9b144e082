// `npm run audit` and `npm run sbom`: what is known about the packages in the lockfile.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './local-config.ts'
import { runProgram } from './run-program.ts'

/** The result of asking the registry for advisories about the packages in the lockfile. */
export type AuditVerdict =
  | { kind: 'clean' }
  | { kind: 'found' }
  /** The registry did not answer, so nothing is known. */
  | { kind: 'not asked'; reason: string }

export interface AuditRun {
  code: number | null
  output: string
}

/** Errors of pnpm if the registry cannot be reached. */
const NOT_ASKED =
  /ERR_PNPM_(AUDIT_(BAD_RESPONSE|ENDPOINT_NOT_EXISTS)|META_FETCH_FAIL|FETCH_\w+)|\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT)\b/

/** Only a registry that cannot be reached is no failure: any other error is one. */
export function judgeAudit({ code, output }: AuditRun): AuditVerdict {
  if (code === 0) return { kind: 'clean' }
  const [reason] = NOT_ASKED.exec(output) ?? []
  return reason ? { kind: 'not asked', reason } : { kind: 'found' }
}

/** An advisory of this severity or above fails the audit. */
const LEVEL = 'high'
const TIMEOUT_MS = 120_000

function audit(): number {
  const { status, stdout, stderr, error } = spawnSync('npx', pnpmArguments('audit', '--audit-level', LEVEL), {
    ...{ cwd: ROOT, encoding: 'utf8', timeout: TIMEOUT_MS },
  })
  const output = `${stdout ?? ''}${stderr ?? ''}${error ? String(error) : ''}`
  const verdict = judgeAudit({ code: status, output })
  switch (verdict.kind) {
    case 'clean':
      console.log(`No advisory of ${LEVEL} severity or above is known for the packages in pnpm-lock.yaml.`)
      return 0
    case 'found':
      console.error(output)
      return 1
    case 'not asked':
      console.warn(`NOT AUDITED: the registry did not answer the request for advisories (${verdict.reason}).`)
      console.warn('Nothing is known about the packages: run `npm run audit` on a machine that can reach the registry.')
      return 0
  }
}

/** `npm run sbom -- --out sbom.json`: all packages in the lockfile, for production and development, as CycloneDX. */
async function sbom(args: readonly string[]): Promise<number> {
  const format = ['--sbom-format', 'cyclonedx', '--sbom-type', 'application', '--lockfile-only']
  const { code } = await runProgram('npx', pnpmArguments('sbom', ...format, ...args))
  return code ?? 1
}

/** npx's arguments for the pnpm that this repository pins. */
function pnpmArguments(...command: string[]): string[] {
  const { config } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { config: { pnpm: string } }
  return ['--yes', `pnpm@${config.pnpm}`, ...command]
}

if (import.meta.main) {
  const [command, ...args] = process.argv.slice(2)
  process.exitCode = command === 'sbom' ? await sbom(args) : audit()
}
