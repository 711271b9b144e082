import { defineConfig, mergeConfig } from 'vitest/config'
import config from './vitest.crash.config.ts'

/** Tests of several minutes each, too long for every change (`*.drill.ts`): `npm run test:drills`, before a release. */
export default mergeConfig(
  { ...config, test: { ...config.test, include: [] } },
  defineConfig({ test: { include: ['**/test/**/*.drill.ts'], maxWorkers: 1 } }),
)
