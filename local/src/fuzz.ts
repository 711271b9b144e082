import { runMain } from './run-main.ts'

const { code } = await runMain('fuzz/src/main.ts')
process.exit(code ?? 1)
