import { runVitest } from './run-vitest.ts'

process.exit(await runVitest(process.argv.slice(2)))
