import type { S3Client } from '@aws-sdk/client-s3'
import type { Disk } from 'flydrive'
import type { BucketConfig } from './export-files-env.ts'

/** An S3 that does not answer is given up in seconds: whoever waits is an export that is tried again, or a person. */
const CONNECT_TIMEOUT_MS = 3_000
const SILENCE_TIMEOUT_MS = 20_000

/** Opens the bucket; nothing is asked of it yet. The SDK is loaded only here: it takes 40 MB of those who do not need it. */
export async function openBucket({ bucket, region, endpoint, pathStyle, credentials }: BucketConfig): Promise<Disk> {
  const [{ Disk }, { S3Driver }, { S3Client }] = await Promise.all([
    import('flydrive'),
    import('flydrive/drivers/s3'),
    import('@aws-sdk/client-s3'),
  ])
  const client = new S3Client({
    ...{ region, forcePathStyle: pathStyle },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    // Not every S3 knows the checksums that the SDK would add; what arrives is compared in size, and has its SHA-256.
    ...{ requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' },
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: SILENCE_TIMEOUT_MS },
  })
  hideOddKeys(client)
  // Nobody but who has a signed address may read; whoever owns the bucket says so, as access lists are off by default.
  const driver = new S3Driver({ client, bucket, visibility: 'private', supportsACL: false })
  return new Disk(driver)
}

/** What flydrive takes for a key, and leaves as it is; ours are of it. */
const PLAIN_KEY = /^\w[\w.-]*$/

/**
 * Leaves keys out of listings that are of somebody else and that flydrive would throw at (`year=2026`, `ü`, `a//b`): one of
 * them in the bucket, and nothing would ever be swept from it again.
 */
function hideOddKeys(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { output } = result as { output: { Contents?: { Key?: string }[] } }
      if (output.Contents) output.Contents = output.Contents.filter(({ Key = '' }) => PLAIN_KEY.test(Key))
      return result
    },
    { step: 'initialize', name: 'hideOddKeys' },
  )
}
