import { defineConfig } from 'vitest/config'
import { LEFT_OUT } from './packages/testkit/src/left-out.ts'
import { SummaryReporter } from './packages/testkit/src/summary-reporter.ts'

/** Test files that are about nothing but what TEST_WITHOUT may leave out. */
const ABOUT: Readonly<Record<string, string>> = {
  helm: 'deploy/test/chart*.test.ts',
  patroni: 'tools/chaos/test/fail-over.drill.ts',
  prometheus: 'deploy/test/{raised-*,dashboards}.long.ts',
}

export default defineConfig({
  test: {
    include: ['**/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/.local/**', ...LEFT_OUT.flatMap((name) => ABOUT[name] ?? [])],
    globalSetup: ['packages/testkit/src/global-setup.ts'],
    // A test waits for more than half of its time: three files at once fill two cores.
    maxWorkers: 3,
    // A worker loads what is under test once, not once for each file: that is a second of a file's processor time.
    isolate: false,
    // Much longer than anything takes: a machine that is busy with other things is no failure.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
    // kafkajs 2.2.4 sets timers that lie in the past; Node 26 remarks on each of them.
    execArgv: ['--disable-warning=TimeoutNegativeWarning'],
    reporters: ['default', new SummaryReporter()],
  },
})
