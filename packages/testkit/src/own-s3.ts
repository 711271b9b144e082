import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type S3Engine, startS3 } from '@streamledger/engines'
import { abandon, makeRunDir } from './test-engines.ts'

/** An empty bucket of one test's own, in the S3 of its file, so that the test may kill it. */
export interface OwnS3 {
  /** The variables for a service that uses it. */
  readonly env: Record<string, string>
  kill(): Promise<void>
  /** Starts it again after a kill, at the same address and with its data. */
  start(): Promise<void>
}

export type StartOwnS3 = () => Promise<OwnS3>

/** One S3 for all tests of a file, one after the other: its start takes longer than most of them. */
export function createOwnS3() {
  const runDir = makeRunDir()
  // As for a run's own engines: Ctrl-C twice leaves nothing behind.
  const onExit = () => abandon(runDir)
  process.once('exit', onExit)
  const dataDir = join(runDir, 's3')
  let engine: S3Engine | undefined
  let port: number | undefined
  const start = async (): Promise<S3Engine> => {
    engine ??= await startS3({ dataDir, buckets: [], ...(port ? { port } : {}) })
    port = engine.port
    return engine
  }
  const kill = async () => {
    await engine?.kill()
    engine = undefined
  }
  return {
    async openBucket(): Promise<OwnS3> {
      const bucket = `exports-${randomUUID()}`
      // A bucket is a folder.
      mkdirSync(join(dataDir, bucket), { recursive: true })
      const { endpoint, credentials } = await start()
      return {
        env: {
          ...{ EXPORT_STORE: 's3', EXPORT_S3_BUCKET: bucket, EXPORT_S3_ENDPOINT: endpoint },
          ...{ EXPORT_S3_PATH_STYLE: 'true', EXPORT_S3_ACCESS_KEY_ID: credentials.accessKeyId },
          EXPORT_S3_SECRET_ACCESS_KEY: credentials.secretAccessKey,
        },
        kill,
        start: async () => void (await start()),
      }
    },
    async remove(): Promise<void> {
      await kill()
      process.off('exit', onExit)
      abandon(runDir)
    },
  }
}
