import { join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../../..')
/** The programs that tests start by the hundred. */
export const PROGRAMS = [
  'services/api/src/main.ts',
  'services/relay/src/main.ts',
  'services/exporter/src/main.ts',
  'cli/src/main.ts',
  'db/src/migrate-main.ts',
]
/** Tells other processes in which folder `buildPrograms` has put the bundles. */
export const PROGRAMS_VARIABLE = 'STREAMLEDGER_PROGRAMS'

/** The file to run for a program: its bundle in a test run, its own source otherwise. The path is absolute or relative to the repository. */
export function findProgram(entryPath: string): string {
  const source = resolve(ROOT, entryPath)
  const dir = process.env[PROGRAMS_VARIABLE]
  const entry = PROGRAMS.find((each) => join(ROOT, each) === source)
  return dir && entry ? join(dir, bundleOf(entry)) : source
}

export const bundleOf = (entry: string): string => entry.replace(/\.ts$/, '.mjs')
