export type { Disk } from 'flydrive'
export type { BucketConfig, ExportFilesConfig } from './export-files-env.ts'
export { exportFilesEnv, readExportFilesConfig } from './export-files-env.ts'
export { openBucket } from './open-bucket.ts'
