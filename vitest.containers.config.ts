import { defineConfig, mergeConfig } from 'vitest/config'
import { SummaryReporter } from './packages/testkit/src/summary-reporter.ts'
import config from './vitest.config.ts'

/** docker-compose.yml and our image, on a real Docker engine: `npm run test:containers`. */
export default mergeConfig(
  { ...config, test: { ...config.test, include: [], globalSetup: [], reporters: [] } },
  defineConfig({
    test: {
      include: ['tools/local/test/containers/*.containers.ts'],
      globalSetup: ['tools/local/test/containers/global-setup.ts'],
      // One composed stack at a time fills the machine.
      fileParallelism: false,
      // Each test goes on from where the one before has left the stack.
      bail: 1,
      testTimeout: 240_000,
      hookTimeout: 120_000,
      teardownTimeout: 120_000,
      // Says of each test how long it took: that is what this run is watched for.
      reporters: ['verbose', new SummaryReporter()],
    },
  }),
)
