import { runProgram } from './run-program.ts'

/** One step of a check or a fix: a program that succeeds or fails. */
export type Step = { readonly name: string; readonly command: string; readonly args: readonly string[] }

/** Runs all steps, even after a failure, and prints a table of the results. */
export async function runSteps(steps: readonly Step[], env: NodeJS.ProcessEnv): Promise<boolean> {
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
