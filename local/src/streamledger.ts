import { join } from 'node:path'
import { loadLocalDir, ROOT } from './local-config.ts'
import { runProgram } from './run-program.ts'
import { readStack } from './stack-file.ts'

/** `npm run streamledger -- …`: the command line, on the running stack unless the environment names another one. */
const stack = readStack(loadLocalDir(process.env))
const env = {
  ...(stack && { DATABASE_URL: stack.databaseUrl }),
  ...(stack?.kafkaBrokers && { KAFKA_BROKERS: stack.kafkaBrokers }),
  ...process.env,
}
const main = join(ROOT, 'cli', 'src', 'main.ts')
const flags = ['--disable-warning=TimeoutNegativeWarning', main]
const { code } = await runProgram(process.execPath, [...flags, ...process.argv.slice(2)], env)
process.exit(code ?? 2)
