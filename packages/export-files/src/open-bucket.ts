import type { S3Client } from '@aws-sdk/client-s3'
import type { Disk } from 'flydrive'
import type { BucketConfig } from './export-files-env.ts'

/** Short timeouts for an S3 that does not answer: exports are retried, and people wait for downloads. */
const CONNECT_TIMEOUT_MS = 3_000
const SILENCE_TIMEOUT_MS = 20_000

/** Opens the bucket without a request. The SDK takes 40 MB, so it is loaded only here. */
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
    // Not every S3 supports the checksums that the SDK would add. Uploads are checked by size, and files have a
    // SHA-256.
    ...{ requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' },
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: SILENCE_TIMEOUT_MS },
  })
  hideOddKeys(client)
  // Files can only be read with a signed URL. The bucket's owner must ensure that: S3 disables access lists by default.
  const driver = new S3Driver({ client, bucket, visibility: 'private', supportsACL: false })
  return new Disk(driver)
}

/** Keys that flydrive accepts unchanged; those of our files are among them. */
const PLAIN_KEY = /^\w[\w.-]*$/

/**
 * Removes keys from listings that flydrive does not accept (`year=2026`, `ü`, `a//b`); other programs may write them.
 * flydrive would throw on them, so one such key would stop the sweep of the bucket for good.
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
