import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fetchKafkaJars, fetchS3Jars, findJava } from '@streamledger/engines'
import { ROOT } from './local-config.ts'
import { runProgram } from './run-program.ts'

const DOCKER_TIMEOUT_MS = 5_000
/** Its tests start their engines in containers, of images that are built from Kafka's jars. */
const CONTAINERS_CONFIG = 'vitest.containers.config.ts'

/** Runs tests on real engines. The last line is "N passed, N failed", even when they could not begin. */
async function runVitest(args: readonly string[]): Promise<number> {
  try {
    if (args.includes(CONTAINERS_CONFIG)) await fetchKafkaJars({ log: console.log })
    else await prepareEngines()
  } catch (error) {
    console.error((error as Error).message)
    console.log('0 passed, 1 failed')
    return 1
  }
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')
  const command = ['--disable-warning=TimeoutNegativeWarning', vitest, 'run', ...args]
  // Tests start hundreds of programs: in the crash matrix, to compile each of them anew would take longer than the cells do.
  const env = { NODE_COMPILE_CACHE: join(ROOT, '.local', 'compile-cache'), ...process.env }
  const { code, signal } = await runProgram(process.execPath, command, env)
  if (signal) console.log('0 passed, 1 failed') // killed before it could say so itself
  return code ?? 1
}

/** Fetches Kafka and S3Proxy before the tests begin: inside of them a download would be silent. */
async function prepareEngines(): Promise<void> {
  const engines = process.env.TEST_ENGINES
  const docker = () => spawnSync('docker', ['info'], { stdio: 'ignore', timeout: DOCKER_TIMEOUT_MS }).status === 0
  if (engines === 'containers' || (!engines && docker())) return
  await findJava()
  await fetchKafkaJars({ log: console.log })
  await fetchS3Jars({ log: console.log })
}

process.exit(await runVitest(process.argv.slice(2)))
