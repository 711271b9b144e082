import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Watched } from '../measure/process-usage.ts'
import type { BenchDeps } from '../suite.ts'

export interface ConsumerJob {
  readonly brokers: string
  readonly topic: string
  /** Where it leaves what it has seen. */
  readonly file: string
}

export type ConsumerMessage = { joined: true } | { seen: number } | { finished: true }

export interface TopicWatch extends AsyncDisposable {
  readonly watched: Watched
  /** How many events it has seen; at most a twentieth of a second old. */
  seen(): number
  /** Reads on to the end of the topic, and returns the file with all events. */
  finish(): Promise<string>
}

const ENTRY = join(import.meta.dirname, 'consumer-main.ts')

/** Watches a topic from its beginning; returns when the consumer has joined. */
export async function watchTopic(
  { load, signal }: BenchDeps,
  { brokers, topic }: Omit<ConsumerJob, 'file'>,
): Promise<TopicWatch> {
  const file = join(load.workDir, `${topic}.events`)
  const job: ConsumerJob = { brokers, topic, file }
  const child = spawn(process.execPath, ['--disable-warning=TimeoutNegativeWarning', ENTRY, JSON.stringify(job)], {
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    signal,
  })
  let seen = 0
  const joined = Promise.withResolvers<void>()
  const finished = Promise.withResolvers<void>()
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const fail = (error: Error) => {
    joined.reject(error)
    finished.reject(error)
  }
  finished.promise.catch(() => {}) // not unhandled: finish() awaits it
  child.once('error', fail)
  child.once('exit', () => fail(new Error('the consumer ended unexpectedly')))
  child.on('message', (message: ConsumerMessage) => {
    if ('joined' in message) joined.resolve()
    else if ('seen' in message) seen = message.seen
    else finished.resolve()
  })
  await joined.promise
  return {
    watched: { name: 'consumer', pid: child.pid as number },
    seen: () => seen,
    finish: async () => {
      child.send('finish')
      await finished.promise
      return file
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL') // it has nothing to save
      await exited
      rmSync(file, { force: true })
    },
  }
}
