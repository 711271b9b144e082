import { createDatabase } from '@streamledger/db/database'
import { createKafka, type KafkaAccess } from '@streamledger/kafka'
import { logLevel } from 'kafkajs'

const ANSWER_TIMEOUT_MS = 5_000

/** @throws Error, one line, if no PostgreSQL answers at the address in DATABASE_URL. */
export async function checkDatabase(url: string): Promise<void> {
  const options = { applicationName: 'streamledger start', connectionsMax: 1, statementTimeoutMs: ANSWER_TIMEOUT_MS }
  const { pool, close } = createDatabase(url, options)
  try {
    await pool.query('select 1')
  } catch (error) {
    throw new Error(
      `No PostgreSQL answers at DATABASE_URL (${reasonOf(error)}): correct it, or unset it for a local one.`,
    )
  } finally {
    await close()
  }
}

/** @throws Error, one line, if no broker answers at the addresses in KAFKA_BROKERS. */
export async function checkKafka(access: KafkaAccess): Promise<void> {
  const admin = createKafka({
    ...access,
    clientId: 'streamledger-start',
    logLevel: logLevel.NOTHING,
    connectionTimeout: ANSWER_TIMEOUT_MS,
    retry: { retries: 1, initialRetryTime: 200 },
  }).admin()
  try {
    await admin.connect()
    await admin.describeCluster()
  } catch (error) {
    throw new Error(`No Kafka answers at KAFKA_BROKERS (${reasonOf(error)}): correct it, or unset it for a local one.`)
  } finally {
    await admin.disconnect()
  }
}

/** If both addresses of a name refuse the connection, Node's error has no message. */
function reasonOf(error: unknown): string {
  const { message, code, errors } = error as { message?: string; code?: string; errors?: Error[] }
  return message || errors?.[0]?.message || code || 'no reason given'
}
