import { defineConfig, mergeConfig } from 'vitest/config'
import config from './vitest.config.ts'

/** The crash matrix, and what takes longest of all other tests (`*.long.ts`): `npm run test:crash`. */
export default mergeConfig(
  { ...config, test: { ...config.test, include: [] } },
  defineConfig({
    test: {
      include: ['services/relay/test/crash/*.crash.ts', '**/test/**/*.long.ts'],
      // A cell mostly waits: for a lease to run out, for an engine to come back.
      maxConcurrency: 4,
      maxWorkers: 3,
      testTimeout: 480_000,
    },
  }),
)
