import { join } from 'node:path'
import { expect, inject, test } from 'vitest'
import { ROOT } from '../../src/local-config.ts'
import { runToEnd } from './docker-cli.ts'

const FILE = 'tools/local/test/story.test.ts'
const TIMEOUT_MS = 180_000

test(`${FILE} passes on the engines that testcontainers starts`, async () => {
  const env = {
    ...process.env,
    ...inject('dockerEnv'),
    ...inject('images'),
    TEST_ENGINES: 'containers',
    // Its watchman is an image of its own; here the engine itself goes away.
    TESTCONTAINERS_RYUK_DISABLED: 'true',
  }
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')
  const output = await runToEnd(process.execPath, [vitest, 'run', FILE], { cwd: ROOT, env, timeoutMs: TIMEOUT_MS })
  expect(output).toMatch(/^1 passed, 0 failed$/m)
})
