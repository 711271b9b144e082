import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { pickTopicVariables } from './topic-variables.ts'
import { writeAtomically } from './write-atomically.ts'

export type StackProcess = { readonly role: string; readonly name: string; readonly pid: number }

/** The addresses of the running stack, for scripts and the command line. Written when all is ready, removed at a stop. */
export type Stack = {
  readonly api: readonly string[]
  readonly ops: readonly { readonly name: string; readonly url: string }[]
  readonly databaseUrl: string
  /** Null without a Kafka. */
  readonly kafkaBrokers: string | null
  readonly topic: string
  readonly processes: readonly StackProcess[]
  /** The variables of a new topic that `npm start` was given, by name. */
  readonly topicVariables?: Readonly<Record<string, string>>
}

const pathOf = (localDir: string) => join(localDir, 'stack.json')

export function writeStack(localDir: string, stack: Stack): void {
  const written: Stack = { ...stack, topicVariables: pickTopicVariables(process.env) }
  writeAtomically(pathOf(localDir), `${JSON.stringify(written, undefined, 2)}\n`)
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
