import Type, { type Static } from 'typebox'

/** The variables for the store of export files: the exporter writes them, the API serves them. */
export const exportFilesEnv = {
  EXPORT_STORE: Type.Union([Type.Literal('folder'), Type.Literal('s3')], {
    default: 'folder',
    description: 'Where finished exports are stored: folder (shared by API and exporters) or s3 (a bucket).',
  }),
  EXPORT_DIR: Type.String({
    minLength: 1,
    examples: ['/var/lib/streamledger/exports'],
    description:
      'Folder of the export files; the API and all exporters must share it. With EXPORT_STORE=s3 an exporter writes files there before their upload, and need not share it.',
  }),
  EXPORT_S3_BUCKET: Type.Optional(
    Type.String({
      minLength: 3,
      maxLength: 63,
      pattern: '^[a-zA-Z0-9][a-zA-Z0-9._-]*[a-zA-Z0-9]$',
      examples: ['ledger-exports'],
      description: 'Name of the bucket.',
    }),
  ),
  EXPORT_S3_REGION: Type.String({
    pattern: '^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$', // the SDK takes one part of a host name
    default: 'us-east-1',
    description: 'Region of the bucket.',
  }),
  EXPORT_S3_ENDPOINT: Type.Optional(
    Type.String({
      format: 'http-url',
      examples: ['https://s3.example:9000'],
      description:
        'Address of an S3 service other than AWS. Clients download files from there, so they must be able to reach it.',
    }),
  ),
  EXPORT_S3_PATH_STYLE: Type.Union([Type.Literal('true'), Type.Literal('false')], {
    default: 'false',
    description:
      'Whether the URL has the bucket in its path instead of the host name. Many S3 services other than AWS need this.',
  }),
  EXPORT_S3_ACCESS_KEY_ID: Type.Optional(
    Type.String({
      pattern: '^[!-~]+$', // a file of a secret may end in a line break, which no header can have
      examples: ['exporter-key'],
      description: "Access key for the bucket. Without it, the machine's own role is used.",
    }),
  ),
  EXPORT_S3_SECRET_ACCESS_KEY: Type.Optional(
    Type.String({
      pattern: '^\\S+( +\\S+)*$',
      examples: ['the secret of the access key'],
      description: 'Secret of that access key.',
    }),
  ),
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
  /** Undefined if the store is a folder. */
  bucket: BucketConfig | undefined
}

/** @throws Error that names the missing variable */
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
