import { fetchKafkaJars } from '@streamledger/engines'
import { runVitest } from './run-vitest.ts'

const args = ['--config', 'vitest.containers.config.ts', ...process.argv.slice(2)]
process.exit(await runVitest(args, async () => void (await fetchKafkaJars({ log: console.log }))))
