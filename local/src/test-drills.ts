import { runVitest } from './run-vitest.ts'

process.exit(await runVitest(['--config', 'vitest.drills.config.ts', ...process.argv.slice(2)]))
