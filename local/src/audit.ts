import { spawnSync } from 'node:child_process'
import { judgeAudit } from './judge-audit.ts'
import { ROOT } from './local-config.ts'
import { pnpmArguments } from './pnpm-arguments.ts'

/** `npm run audit`: fails on an advisory of high or critical severity for a package in the lockfile. */
const LEVEL = 'high'
const TIMEOUT_MS = 120_000
const { status, stdout, stderr, error } = spawnSync('npx', pnpmArguments('audit', '--audit-level', LEVEL), {
  ...{ cwd: ROOT, encoding: 'utf8', timeout: TIMEOUT_MS },
})
const output = `${stdout ?? ''}${stderr ?? ''}${error ? String(error) : ''}`
const verdict = judgeAudit({ code: status, output })
switch (verdict.kind) {
  case 'clean':
    console.log(`No advisory of ${LEVEL} severity or above is known for the packages in pnpm-lock.yaml.`)
    break
  case 'found':
    console.error(output)
    process.exitCode = 1
    break
  case 'not asked':
    console.warn(`NOT AUDITED: the registry did not answer the request for advisories (${verdict.reason}).`)
    console.warn('Nothing is known about the packages: run `npm run audit` on a machine that can reach the registry.')
}
