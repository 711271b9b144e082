import { loadLocalDir } from './local-config.ts'
import { runMain } from './run-main.ts'
import { readStack } from './stack-file.ts'

/** `npm run streamledger -- …`: the command line, on the running stack unless the environment names another one. */
const stack = readStack(loadLocalDir(process.env))
const env = {
  ...(stack && { DATABASE_URL: stack.databaseUrl }),
  ...(stack?.kafkaBrokers && { KAFKA_BROKERS: stack.kafkaBrokers }),
  ...process.env,
}
const { code } = await runMain('cli/src/main.ts', env)
process.exit(code ?? 2)
