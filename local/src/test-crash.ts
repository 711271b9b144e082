import { runVitest } from './run-vitest.ts'

process.exit(await runVitest(['--config', 'vitest.crash.config.ts', ...process.argv.slice(2)]))
