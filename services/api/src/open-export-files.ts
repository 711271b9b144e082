import { openBucket } from '@streamledger/export-files'
import type { Logger } from '@streamledger/runtime'
import type { ApiConfig } from './config.ts'
import { createExportBucket } from './ledger/export-bucket.ts'
import { createExportFolder, type ExportFiles } from './ledger/export-files.ts'

/** Opens the store of the exporter's files: a folder or a bucket. */
export async function openExportFiles(
  { files: { folder, bucket }, exports: { urlTtlS } }: Pick<ApiConfig, 'files' | 'exports'>,
  logger: Logger,
): Promise<ExportFiles> {
  const files = bucket ? createExportBucket(await openBucket(bucket), { urlTtlS }) : createExportFolder(folder)
  return {
    ...files,
    async remove(name) {
      // The export's row is already deleted. The request still succeeds: the exporter removes the file later.
      await files.remove(name).catch((error) => logger.warn({ err: error, file: name }, 'a file was not removed'))
    },
  }
}
