import { writeSync } from 'node:fs'
import type { SerializedError } from 'vitest'
import type { Reporter, TestModule } from 'vitest/node'

const STDOUT = 1

/** Ends the output of the run with "N passed, N failed", after all output of vitest and the teardown. */
export class SummaryReporter implements Reporter {
  // One failure until the run has ended: an engine that does not start is a failure.
  #passed = 0
  #failed = 1

  onInit(): void {
    process.once('exit', () => {
      if (this.#failed > 0) process.exitCode ||= 1
      const leftOut = process.env.TEST_WITHOUT
      if (leftOut) writeSync(STDOUT, `left out, as TEST_WITHOUT says: ${leftOut}\n`)
      writeSync(STDOUT, `${this.#passed} passed, ${this.#failed} failed\n`)
    })
  }

  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<SerializedError>): void {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state))
    this.#passed = states.filter((state) => state === 'passed').length
    // A test that did not run has failed. Errors of suites and uncaught errors count as failures too.
    const unfinished = states.filter((state) => state === 'failed' || state === 'pending').length
    this.#failed = unfinished + modules.flatMap(errorsOf).length + unhandledErrors.length
    if (states.length === 0 && this.#failed === 0) this.#failed = 1
  }
}

function errorsOf(module: TestModule): readonly unknown[] {
  const suites = [...module.children.allSuites()]
  return [...module.errors(), ...suites.flatMap((suite) => suite.errors())]
}
