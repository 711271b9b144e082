import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './local-config.ts'

/** npx's arguments for the pnpm that this repository pins. */
export function pnpmArguments(...command: string[]): string[] {
  const { config } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { config: { pnpm: string } }
  return ['--yes', `pnpm@${config.pnpm}`, ...command]
}
