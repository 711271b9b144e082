import Type, { type Static } from 'typebox'

/** Where the files of exports are: for the API, which hands them out, and the exporter, which writes them. */
export const exportFilesEnv = {
  EXPORT_STORE: Type.Union([Type.Literal('folder'), Type.Literal('s3')], {
    default: 'folder',
    description: 'Where finished exports are kept: a folder that API and exporter share, or a bucket of S3.',
  }),
  EXPORT_DIR: Type.String({
    minLength: 1,
    description:
      'Folder of the exports: API and every exporter must see the same one. With EXPORT_STORE=s3 an exporter writes there what it then uploads, and it may be its own.',
  }),
  EXPORT_S3_BUCKET: Type.Optional(Type.String({ minLength: 3, maxLength: 63, description: 'Bucket of the exports.' })),
  EXPORT_S3_REGION: Type.String({ minLength: 1, default: 'us-east-1', description: 'Region of the bucket.' }),
  EXPORT_S3_ENDPOINT: Type.Optional(
    Type.String({
      pattern: '^https?://',
      description: 'Address of an S3 that is not AWS; clients are sent there for their files, so they must reach it.',
    }),
  ),
  EXPORT_S3_PATH_STYLE: Type.Union([Type.Literal('true'), Type.Literal('false')], {
    default: 'false',
    description: 'Whether the bucket is named in the path, not in the host: many an S3 that is not AWS wants that.',
  }),
  EXPORT_S3_ACCESS_KEY_ID: Type.Optional(
    Type.String({ minLength: 1, description: "Access key of the bucket; without it, the machine's own role is used." }),
  ),
  EXPORT_S3_SECRET_ACCESS_KEY: Type.Optional(Type.String({ minLength: 1, description: 'The secret of that key.' })),
}

const Env = Type.Object(exportFilesEnv)

export interface BucketConfig {
  bucket: string
  region: string
  endpoint: string | undefined
  pathStyle: boolean
  credentials: { accessKeyId: string; secretAccessKey: string } | undefined
}

export interface ExportFilesConfig {
  folder: string
  /** Undefined where the folder is the store. */
  bucket: BucketConfig | undefined
}

/** @throws Error that names what is missing */
export function readExportFilesConfig(vars: Static<typeof Env>): ExportFilesConfig {
  const folder = vars.EXPORT_DIR
  if (vars.EXPORT_STORE === 'folder') return { folder, bucket: undefined }
  const { EXPORT_S3_ACCESS_KEY_ID: accessKeyId, EXPORT_S3_SECRET_ACCESS_KEY: secretAccessKey } = vars
  if (vars.EXPORT_S3_BUCKET === undefined) throw new Error('configuration: EXPORT_STORE=s3 needs EXPORT_S3_BUCKET')
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    throw new Error('configuration: EXPORT_S3_ACCESS_KEY_ID and EXPORT_S3_SECRET_ACCESS_KEY go together')
  }
  return {
    folder,
    bucket: {
      bucket: vars.EXPORT_S3_BUCKET,
      region: vars.EXPORT_S3_REGION,
      endpoint: vars.EXPORT_S3_ENDPOINT,
      pathStyle: vars.EXPORT_S3_PATH_STYLE === 'true',
      credentials: accessKeyId && secretAccessKey ? { accessKeyId, secretAccessKey } : undefined,
    },
  }
}
