import { join } from 'node:path'
import { type S3Engine, startS3 } from '@streamledger/engines'
import { abandon, makeRunDir } from './test-engines.ts'

export const BUCKET = 'exports'

/** An S3 for one test, which may kill it, with one empty bucket. */
export interface OwnS3 {
  /** The variables for a service that uses it. */
  readonly env: Record<string, string>
  kill(): Promise<void>
  /** Starts it again after a kill, at the same address and with its data. */
  start(): Promise<void>
}

export type StartOwnS3 = () => Promise<OwnS3>

export async function startOwnS3(): Promise<OwnS3 & { remove(): Promise<void> }> {
  const runDir = makeRunDir()
  const options = { dataDir: join(runDir, 's3'), buckets: [BUCKET] }
  let engine: S3Engine = await startS3(options)
  const { endpoint, port, credentials } = engine
  // As for the engines of the run: a second Ctrl-C leaves no process behind.
  const onExit = () => abandon(runDir)
  process.once('exit', onExit)
  return {
    env: {
      ...{ EXPORT_STORE: 's3', EXPORT_S3_BUCKET: BUCKET, EXPORT_S3_ENDPOINT: endpoint, EXPORT_S3_PATH_STYLE: 'true' },
      EXPORT_S3_ACCESS_KEY_ID: credentials.accessKeyId,
      EXPORT_S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    kill: () => engine.kill(),
    start: async () => {
      engine = await startS3({ ...options, port })
    },
    remove: async () => {
      await engine.kill()
      process.off('exit', onExit)
      abandon(runDir)
    },
  }
}
