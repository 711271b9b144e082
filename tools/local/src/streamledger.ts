import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { commandLineEnv } from './command-line-env.ts'
import { loadLocalDir, ROOT } from './local-config.ts'
import { runMain } from './run-main.ts'
import { readStack } from './stack-file.ts'

/** `npm run streamledger -- …`: the command line, for the running stack unless the environment names another one. */
const envFile = join(ROOT, '.env')
const file = existsSync(envFile) ? parseEnv(readFileSync(envFile, 'utf8')) : {}
const stack = readStack(loadLocalDir({ ...file, ...process.env }))
const { code } = await runMain(
  'cli/src/main.ts',
  process.argv.slice(2),
  commandLineEnv({ shell: process.env, stack, file }),
)
process.exit(code ?? 2)
