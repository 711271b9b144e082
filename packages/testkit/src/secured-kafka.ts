import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { fetchKafkaJars, findJava, pickFreePort } from '@streamledger/engines'
import { type OwnKafka, startOwnKafka } from './own-kafka.ts'

const run = promisify(execFile)
const STORE_PASSWORD = 'of-the-key-store'

/** A Kafka with a second listener that requires TLS, a username and a password. Everything is allowed until an ACL exists. */
export interface SecuredKafka extends OwnKafka {
  readonly securedBrokers: string
  /** PEM file of the authority that signed its certificate. */
  readonly caFile: string
  /** Credentials for PLAIN. */
  readonly plain: Credentials
  /** Credentials for SCRAM-SHA-512. */
  readonly scram: Credentials
  /** Changes the password of the SCRAM user. Connections that are open stay open. */
  setScramPassword(password: string): Promise<void>
  /** From the next start on, the certificate is of another authority. */
  replaceCertificate(): Promise<void>
}

interface Credentials {
  username: string
  password: string
}

export type StartSecuredKafka = () => Promise<SecuredKafka>

export async function startSecuredKafka(): Promise<SecuredKafka & { remove(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'secured-kafka-'))
  const { keyStore, caFile } = await makeCertificate(folder)
  const plain = { username: 'plain-relay', password: 'by heart' }
  const scram = { username: 'scram-relay', password: 'salted' }
  const port = await pickFreePort()
  const kafka = await startOwnKafka({
    listeners: [{ name: 'SECURED', port, advertisedPort: port, protocol: 'SASL_SSL' }],
    settings: securitySettings(keyStore, plain),
  })
  await addScramUser(kafka.brokers, scram)
  return {
    ...{ ...kafka, securedBrokers: `127.0.0.1:${port}`, caFile, plain, scram },
    setScramPassword: (password) => addScramUser(kafka.brokers, { ...scram, password }),
    replaceCertificate: async () => {
      rmSync(keyStore)
      const { caFile: other } = await makeCertificate(folder, 'other-ca.pem')
      rmSync(other)
    },
    remove: async () => {
      await kafka.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Uses Java's keytool: Node can create keys, but no certificates. */
async function makeCertificate(folder: string, caName = 'ca.pem'): Promise<{ keyStore: string; caFile: string }> {
  const java = await findJava()
  const keytool = java.includes('/') ? join(dirname(java), 'keytool') : 'keytool'
  const keyStore = join(folder, 'broker.p12')
  const caFile = join(folder, caName)
  const store = ['-alias', 'broker', '-keystore', keyStore, '-storepass', STORE_PASSWORD, '-storetype', 'PKCS12']
  const names = ['-dname', 'CN=broker', '-ext', 'san=ip:127.0.0.1', '-keyalg', 'EC', '-validity', '2']
  await run(keytool, ['-genkeypair', ...store, ...names])
  await run(keytool, ['-exportcert', '-rfc', '-file', caFile, ...store])
  return { keyStore, caFile }
}

function securitySettings(keyStore: string, { username, password }: Credentials): Record<string, string> {
  const modules = 'org.apache.kafka.common.security'
  return {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // Clients without a name, and the broker itself.
    'super.users': 'User:ANONYMOUS',
    'allow.everyone.if.no.acl.found': 'true',
    'listener.name.secured.ssl.keystore.type': 'PKCS12',
    'listener.name.secured.ssl.keystore.location': keyStore,
    'listener.name.secured.ssl.keystore.password': STORE_PASSWORD,
    'listener.name.secured.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
    'listener.name.secured.plain.sasl.jaas.config': `${modules}.plain.PlainLoginModule required user_${username}="${password}";`,
    'listener.name.secured.scram-sha-512.sasl.jaas.config': `${modules}.scram.ScramLoginModule required;`,
  }
}

/** Uses Kafka's own tool: kafkajs has no request for this. */
async function addScramUser(brokers: string, { username, password }: Credentials): Promise<void> {
  const [java, jars] = await Promise.all([findJava(), fetchKafkaJars()])
  await run(java, [
    ...['-cp', join(jars, '*'), 'kafka.admin.ConfigCommand', '--bootstrap-server', brokers, '--alter'],
    ...['--entity-type', 'users', '--entity-name', username, '--add-config', `SCRAM-SHA-512=[password=${password}]`],
  ])
}
