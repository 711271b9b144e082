import { existsSync, readFileSync } from 'node:fs'

const FIRST_LINE = /^#!\/usr\/bin\/env -S node (.*)$/m

/** The flags of Node and V8 that the first line of a program names. Most of V8's can be set only when a process starts. */
export function readNodeFlags(entry: string): string[] {
  if (!existsSync(entry)) return [] // Node says so when it is started
  const [line = ''] = readFileSync(entry, 'utf8').split('\n', 1)
  return FIRST_LINE.exec(line)?.[1]?.trim().split(/\s+/) ?? []
}
