import { join } from 'node:path'
import { ROOT } from './local-config.ts'
import { runProgram } from './run-program.ts'

const fuzz = join(ROOT, 'fuzz', 'src', 'main.ts')
const flags = ['--disable-warning=TimeoutNegativeWarning', fuzz]
const { code } = await runProgram(process.execPath, [...flags, ...process.argv.slice(2)])
process.exit(code ?? 1)
