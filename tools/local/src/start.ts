import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { loadLocalConfig, ROOT } from './local-config.ts'
import { runDocker } from './run-docker.ts'
import { runStack } from './run-stack.ts'
import { createScreen } from './screen.ts'
import { parseStartArguments, USAGE } from './start-arguments.ts'
import { createStopSignal } from './stop-signal.ts'

/** Runs `npm start`. Every failure is reported in one or two lines, not as a stack trace. */
async function start(): Promise<number> {
  const screen = createScreen()
  try {
    const options = parseStartArguments(process.argv.slice(2))
    if (options.help) {
      screen.write(USAGE)
      return 0
    }
    const envFile = join(ROOT, '.env')
    if (existsSync(envFile)) process.loadEnvFile(envFile) // the real environment wins
    const config = loadLocalConfig(process.env)
    const deps = { config, screen, stop: createStopSignal(screen) }
    return config.stack === 'docker' ? await runDocker(options, deps) : await runStack(options, deps)
  } catch (error) {
    screen.warn((error as Error).message)
    return 1
  }
}

process.exit(await start())
