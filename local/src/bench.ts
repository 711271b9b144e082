import { join } from 'node:path'
import { ROOT } from './local-config.ts'
import { runProgram } from './run-program.ts'

const bench = join(ROOT, 'bench', 'src', 'main.ts')
const flags = ['--disable-warning=TimeoutNegativeWarning', bench]
const { code } = await runProgram(process.execPath, [...flags, ...process.argv.slice(2)])
process.exit(code ?? 1)
