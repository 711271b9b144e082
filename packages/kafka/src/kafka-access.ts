import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import type { SASLOptions } from 'kafkajs'
import Type, { type Static } from 'typebox'

/** The variables for the connection to Kafka. */
export const kafkaEnv = {
  KAFKA_BROKERS: Type.String({
    format: 'brokers',
    examples: ['kafka-1.example:9092,kafka-2.example:9092'],
    description: 'Addresses of Kafka brokers, as host:port, separated by commas.',
  }),
  KAFKA_TLS: Type.Boolean({ default: false, description: 'Whether to connect to the brokers over TLS.' }),
  KAFKA_TLS_CA_FILE: Type.Optional(
    Type.String({
      description: "PEM file of the CA that signed the brokers' certificates, if Node does not already trust it.",
    }),
  ),
  KAFKA_SASL_MECHANISM: Type.Optional(
    Type.Union([Type.Literal('plain'), Type.Literal('scram-sha-256'), Type.Literal('scram-sha-512')], {
      description: 'SASL mechanism: plain, scram-sha-256 or scram-sha-512.',
    }),
  ),
  KAFKA_SASL_USERNAME: Type.Optional(Type.String({ minLength: 1, description: 'SASL user name.' })),
  KAFKA_SASL_PASSWORD: Type.Optional(Type.String({ minLength: 1, description: 'SASL password.' })),
}

const variables = Type.Object(kafkaEnv)

/** The connection options of kafkajs. */
export interface KafkaAccess {
  brokers: string[]
  ssl?: ConnectionOptions
  sasl?: SASLOptions
}

/** @throws Error that names a variable that is missing or contradicts the others. */
export function readKafkaAccess(vars: Static<typeof variables>): KafkaAccess {
  const ssl = readTls(vars)
  const sasl = readSasl(vars)
  return {
    brokers: vars.KAFKA_BROKERS.split(',').map((broker) => broker.trim()),
    ...(ssl && { ssl }),
    ...(sasl && { sasl }),
  }
}

function readTls({ KAFKA_TLS, KAFKA_TLS_CA_FILE: caFile }: Static<typeof variables>): ConnectionOptions | undefined {
  if (!KAFKA_TLS) {
    if (caFile) throw new Error('configuration: KAFKA_TLS_CA_FILE is set, but KAFKA_TLS is not true')
    return undefined
  }
  return caFile ? { ca: readCertificates(caFile) } : {}
}

const CERTIFICATES = /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----[^-]*-----END \1-----/g

/** Node leaves out what is no certificate without an error, and then no connection succeeds. */
function readCertificates(file: string): string {
  const text = readFile(file)
  const certificates = text.match(CERTIFICATES) ?? []
  try {
    for (const certificate of certificates) new X509Certificate(certificate)
    if (certificates.length > 0) return text
  } catch {
    // The same fault: a certificate that cannot be read.
  }
  throw new Error(
    'configuration: KAFKA_TLS_CA_FILE must be a PEM file of valid certificates (example: a file that begins with -----BEGIN CERTIFICATE-----)',
  )
}

function readFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Error(
      `configuration: KAFKA_TLS_CA_FILE cannot be read: ${(error as Error).message} (example: /etc/streamledger/kafka-ca.pem)`,
    )
  }
}

function readSasl(vars: Static<typeof variables>): SASLOptions | undefined {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = vars
  if (mechanism === undefined && username === undefined && password === undefined) return undefined
  if (mechanism === undefined || username === undefined || password === undefined) {
    throw new Error('configuration: KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD go together')
  }
  return { mechanism, username, password }
}
