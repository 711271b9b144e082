import { Readable } from 'node:stream'
import type { BucketConfig } from './export-files-env.ts'

/** The files in a bucket of S3, by their keys. */
export interface Bucket {
  /** Stores a file of `size` bytes: S3 needs to know it before the first one. */
  put(key: string, content: Readable | Uint8Array, about: { type: string; size: number }): Promise<void>
  /** In bytes. Undefined if there is no such file. */
  sizeOf(key: string): Promise<number | undefined>
  /** Also if there is no such file. */
  remove(key: string): Promise<void>
  /** All files, in answers of `pageKeys` keys each. */
  list(options?: { pageKeys?: number }): AsyncGenerator<{ key: string; modifiedAt: Date }>
  /** A URL where a client can download the file for some seconds, under this name and type. */
  urlOf(key: string, view: { expiresS: number; filename: string; type: string }): Promise<string>
}

/** Short timeouts for an S3 that does not answer: exports are retried, and people wait for downloads. */
const CONNECT_TIMEOUT_MS = 3_000
const SILENCE_TIMEOUT_MS = 20_000
/** The most that S3 answers at once. */
const PAGE_KEYS = 1_000

/**
 * Opens the bucket without a request. The SDK takes 40 MB, so it is loaded only here. Files can only be read with a signed
 * URL. The bucket's owner must ensure that: S3 disables access lists by default.
 */
export async function openBucket(config: BucketConfig): Promise<Bucket> {
  const [{ getSignedUrl }, s3] = await Promise.all([
    import('@aws-sdk/s3-request-presigner'),
    import('@aws-sdk/client-s3'),
  ])
  const { region, endpoint, pathStyle, credentials } = config
  const client = new s3.S3Client({
    ...{ region, forcePathStyle: pathStyle },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials }),
    // Not every S3 supports the checksums that the SDK would add. Uploads are checked by size, and files have a
    // SHA-256.
    ...{ requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' },
    requestHandler: { connectionTimeout: CONNECT_TIMEOUT_MS, socketTimeout: SILENCE_TIMEOUT_MS },
  })
  const at = (Key: string) => ({ Bucket: config.bucket, Key })
  return {
    async put(key, content, { type, size }) {
      const file = { ...at(key), Body: content, ContentType: type, ContentLength: size }
      // The SDK does not notice a stream that breaks.
      const broken = new AbortController()
      if (content instanceof Readable) content.once('error', (error) => broken.abort(error))
      await client.send(new s3.PutObjectCommand(file), { abortSignal: broken.signal }).catch((error) => {
        throw broken.signal.aborted ? broken.signal.reason : error
      })
    },
    async sizeOf(key) {
      try {
        return (await client.send(new s3.HeadObjectCommand(at(key)))).ContentLength
      } catch (error) {
        if (error instanceof s3.NotFound) return undefined
        throw error
      }
    },
    async remove(key) {
      await client.send(new s3.DeleteObjectCommand(at(key)))
    },
    async *list({ pageKeys = PAGE_KEYS } = {}) {
      const asked = { Bucket: config.bucket, MaxKeys: pageKeys }
      for await (const { Contents = [] } of s3.paginateListObjectsV2({ client }, asked)) {
        for (const { Key, LastModified } of Contents)
          if (Key && LastModified) yield { key: Key, modifiedAt: LastModified }
      }
    },
    urlOf(key, { expiresS, filename, type }) {
      const disposition = `attachment; filename="${filename}"`
      const file = { ...at(key), ResponseContentType: type, ResponseContentDisposition: disposition }
      return getSignedUrl(client, new s3.GetObjectCommand(file), { expiresIn: expiresS })
    },
  }
}
