import { openBucket } from '@streamledger/export-files'
import type { Logger } from '@streamledger/runtime'
import type { ApiConfig } from './config.ts'
import { createExportBucket } from './ledger/export-bucket.ts'
import { createExportFolder, type ExportFiles } from './ledger/export-files.ts'

/** Opens where the exporter keeps its files, be it a folder or a bucket. */
export async function openExportFiles(
  { files: { folder, bucket }, exports: { urlTtlS } }: Pick<ApiConfig, 'files' | 'exports'>,
  logger: Logger,
): Promise<ExportFiles> {
  const files = bucket ? createExportBucket(await openBucket(bucket), { urlTtlS }) : createExportFolder(folder)
  return {
    ...files,
    async remove(name) {
      // Its export is gone from the ledger already, and people need not hear of it: the exporter sweeps it up later.
      await files.remove(name).catch((error) => logger.warn({ err: error, file: name }, 'a file was not removed'))
    },
  }
}
