import { defineConfig, mergeConfig } from 'vitest/config'
import config from './vitest.crash.config.ts'

/**
 * `npm run test:drills`, before a release: tests of several minutes each (`*.drill.ts`), and tests whose figures need the
 * machine to themselves (`*.load.ts`).
 */
export default mergeConfig(
  { ...config, test: { ...config.test, include: [] } },
  defineConfig({ test: { include: ['**/test/**/*.{drill,load}.ts'], maxWorkers: 1 } }),
)
