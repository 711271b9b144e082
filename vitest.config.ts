import { defineConfig } from 'vitest/config'
import { SummaryReporter } from './packages/testkit/src/summary-reporter.ts'

export default defineConfig({
  test: {
    include: ['**/test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/.local/**'],
    globalSetup: ['packages/testkit/src/global-setup.ts'],
    // Each file brings services and clients of its own, beside PostgreSQL and Kafka: two files at once fill two cores.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
    // kafkajs 2.2.4 sets timers that lie in the past; Node 26 remarks on each of them.
    execArgv: ['--disable-warning=TimeoutNegativeWarning'],
    reporters: ['default', new SummaryReporter()],
  },
})
