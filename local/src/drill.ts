import { join } from 'node:path'
import { ROOT } from './local-config.ts'
import { runProgram } from './run-program.ts'

const drill = join(ROOT, 'chaos', 'src', 'drill-main.ts')
const flags = ['--disable-warning=TimeoutNegativeWarning', drill]
const { code } = await runProgram(process.execPath, [...flags, ...process.argv.slice(2)])
process.exit(code ?? 1)
