import { join } from 'node:path'
import { ROOT } from './local-config.ts'
import type { Step } from './run-steps.ts'

const bin = (name: string) => join(ROOT, 'node_modules', '.bin', name)
const script = (name: string, path: string, ...flags: string[]): Step => ({
  name,
  command: process.execPath,
  args: [join(ROOT, path), ...flags],
})

export const CHECK_STEPS: readonly Step[] = [
  { name: 'format and lint', command: bin('biome'), args: ['check', '--error-on-warnings', '.'] },
  { name: 'types', command: bin('tsc'), args: ['-p', '.'] },
  script('unused code', 'node_modules/knip/bin/knip.js', '--no-progress', '--treat-config-hints-as-errors'),
  script('house rules', 'local/src/house-rules.ts'),
  script('documents', 'local/src/check-documents.ts'),
  script('walks', 'local/src/check-walks.ts'),
  script('install scripts', 'local/src/install-scripts.ts'),
  script('generated files', 'local/src/drift.ts'),
]

export const FIX_STEPS: readonly Step[] = [
  script('generated files', 'local/src/drift.ts', '--write'),
  { name: 'format and lint', command: bin('biome'), args: ['check', '--write', '.'] },
]
