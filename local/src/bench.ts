import { runMain } from './run-main.ts'

const { code } = await runMain('bench/src/main.ts')
process.exit(code ?? 1)
