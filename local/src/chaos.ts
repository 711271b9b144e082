import { runMain } from './run-main.ts'

const { code } = await runMain('chaos/src/main.ts')
process.exit(code ?? 1)
