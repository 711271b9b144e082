// `npm run check`, and with --fix `npm run fix`.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { startPostgres } from '@streamledger/engines'
import { ROOT } from './local-config.ts'
import { runProgram } from './run-program.ts'

/** One step of a check or a fix: a program that succeeds or fails. */
type Step = { readonly name: string; readonly command: string; readonly args: readonly string[] }

const bin = (name: string) => join(ROOT, 'node_modules', '.bin', name)
const script = (name: string, path: string, ...flags: string[]): Step => ({
  name,
  command: process.execPath,
  args: [join(ROOT, path), ...flags],
})

const CHECK_STEPS: readonly Step[] = [
  { name: 'format and lint', command: bin('biome'), args: ['check', '--error-on-warnings', '.'] },
  { name: 'types', command: bin('tsc'), args: ['-p', '.'] },
  script('unused code', 'node_modules/knip/bin/knip.js', '--no-progress', '--treat-config-hints-as-errors'),
  script('house rules', 'tools/local/src/house-rules.ts'),
  script('documents', 'tools/local/src/check-documents.ts'),
  script('walks', 'tools/local/src/check-walks.ts'),
  script('install scripts', 'tools/local/src/install-scripts.ts'),
  script('generated files', 'tools/local/src/drift.ts'),
]

const FIX_STEPS: readonly Step[] = [
  script('generated files', 'tools/local/src/drift.ts', '--write'),
  { name: 'format and lint', command: bin('biome'), args: ['check', '--write', '.'] },
]

/** Runs all steps, even after a failure, and prints a table of the results. */
async function runSteps(steps: readonly Step[], env: NodeJS.ProcessEnv): Promise<boolean> {
  const results: { name: string; passed: boolean; seconds: string }[] = []
  for (const { name, command, args } of steps) {
    console.log(`\n── ${name}`)
    const startedAt = performance.now()
    const { code, signal } = await runProgram(command, args, env)
    if (signal === 'SIGINT' || signal === 'SIGTERM') return false
    results.push({ name, passed: code === 0, seconds: ((performance.now() - startedAt) / 1000).toFixed(1) })
  }
  console.log('')
  const width = Math.max(...results.map(({ name }) => name.length))
  for (const { name, passed, seconds } of results) {
    console.log(`${passed ? 'ok    ' : 'FAILED'}  ${name.padEnd(width)}  ${seconds.padStart(5)} s`)
  }
  return results.every(({ passed }) => passed)
}

/** Calls `use` with an empty, temporary PostgreSQL, whose address is in DATABASE_URL. */
async function withScratchPostgres<T>(use: (env: NodeJS.ProcessEnv) => Promise<T>): Promise<T> {
  const dataDir = join(ROOT, '.local', 'scratch', String(process.pid))
  const postgres = await startPostgres({ dataDir })
  try {
    return await use({ ...process.env, DATABASE_URL: postgres.url })
  } finally {
    await postgres.kill()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

const steps = process.argv.includes('--fix') ? FIX_STEPS : CHECK_STEPS
process.exitCode = (await withScratchPostgres((env) => runSteps(steps, env))) ? 0 : 1
