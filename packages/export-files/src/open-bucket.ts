import type { Disk } from 'flydrive'
import type { BucketConfig } from './export-files-env.ts'

/** An S3 that does not answer is given up in seconds: whoever waits is an export that is tried again, or a person. */
const CONNECT_TIMEOUT_MS = 3_000
const SILENCE_TIMEOUT_MS = 20_000

/** Opens the bucket; nothing is asked of it yet. The SDK is loaded only here: it takes 40 MB of those who do not need it. */
export async function openBucket({ bucket, region, endpoint, pathStyle, credentials }: BucketConfig): Promise<Disk> {
  const [{ Disk }, { S3Driver }] = await Promise.all([import('flydrive'), import('flydrive/drivers/s3')])
  const driver = new S3Driver({
    ...{ bucket, region, forcePathStyle: pathStyle },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    // Nobody but who has a signed address may read; whoever owns the bucket says so, as access lists are off by default.
    ...{ visibility: 'private', supportsACL: false },
    // Not every S3 knows the checksums that the SDK would add; what arrives is compared in size, and has its SHA-256.
    ...{ requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' },
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: SILENCE_TIMEOUT_MS },
  })
  return new Disk(driver)
}
