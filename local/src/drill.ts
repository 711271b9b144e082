import { runMain } from './run-main.ts'

const { code } = await runMain('chaos/src/drill-main.ts')
process.exit(code ?? 1)
