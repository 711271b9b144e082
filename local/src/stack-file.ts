import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeAtomically } from './write-atomically.ts'

export type StackProcess = { readonly role: string; readonly name: string; readonly pid: number }

/** Where the running stack is, for scripts and the command line. Written when all is ready, removed by an orderly stop. */
export type Stack = {
  readonly api: readonly string[]
  readonly ops: readonly { readonly name: string; readonly url: string }[]
  readonly databaseUrl: string
  /** Null when there was no way to a Kafka. */
  readonly kafkaBrokers: string | null
  readonly topic: string
  readonly processes: readonly StackProcess[]
}

const pathOf = (localDir: string) => join(localDir, 'stack.json')

export function writeStack(localDir: string, stack: Stack): void {
  writeAtomically(pathOf(localDir), `${JSON.stringify(stack, undefined, 2)}\n`)
}

export function readStack(localDir: string): Stack | undefined {
  try {
    return JSON.parse(readFileSync(pathOf(localDir), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

export function removeStack(localDir: string): void {
  rmSync(pathOf(localDir), { force: true })
}
