import { defineConfig, mergeConfig } from 'vitest/config'
import config from './vitest.config.ts'

/** The crash matrix, and what takes longest of all other tests (`*.long.ts`): `npm run test:crash`. */
export default mergeConfig(
  { ...config, test: { ...config.test, include: [] } },
  defineConfig({
    test: {
      include: ['services/relay/test/crash/*.crash.ts', '**/test/**/*.long.ts'],
      // Cells of one file at the same time. Each runs up to three relays: more cells starve one another on two cores.
      maxConcurrency: 2,
      // Files here start many processes, and some measure what a service does under load: a third file would slow them all.
      maxWorkers: 2,
      testTimeout: 480_000,
    },
  }),
)
