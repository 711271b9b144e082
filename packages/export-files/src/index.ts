export { type Bucket, openBucket } from './bucket.ts'
export type { BucketConfig, ExportFilesConfig } from './export-files-env.ts'
export { exportFilesEnv, readExportFilesConfig } from './export-files-env.ts'
