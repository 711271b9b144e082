import { pickFreePort } from '@streamledger/engines'
import { GenericContainer, Wait } from 'testcontainers'
import type { TestEngines } from './test-engines.ts'

// The variables and the defaults of docker-compose.yml.
const POSTGRES_IMAGE = process.env.POSTGRES_IMAGE || 'postgres:18'
const KAFKA_IMAGE = process.env.KAFKA_IMAGE || 'apache/kafka:4.2.2'
const STARTUP_DEADLINE_MS = 180_000 // the first run pulls both images

/** Starts both engines as containers, which testcontainers removes even when the run is killed. */
export async function startContainerEngines(): Promise<TestEngines> {
  const [postgres, kafka] = await Promise.all([startPostgresContainer(), startKafkaContainer()])
  return {
    postgresUrl: postgres.url,
    brokers: kafka.brokers,
    kafkaDoors: [],
    stop: async () => {
      await Promise.all([postgres.container.stop(), kafka.container.stop()])
    },
  }
}

async function startPostgresContainer() {
  const container = await new GenericContainer(POSTGRES_IMAGE)
    .withEnvironment({ POSTGRES_USER: 'streamledger', POSTGRES_PASSWORD: 'streamledger', POSTGRES_DB: 'streamledger' })
    .withCommand(['postgres', '-c', 'max_connections=200', '-c', 'timezone=UTC'])
    .withExposedPorts(5432)
    // The image starts the server twice: once for the setup, then for use.
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
    .withStartupTimeout(STARTUP_DEADLINE_MS)
    .start()
  const address = `${container.getHost()}:${container.getMappedPort(5432)}`
  return { container, url: `postgres://streamledger:streamledger@${address}/streamledger` }
}

async function startKafkaContainer() {
  // The broker needs its advertised port before Docker has mapped one, so the port is chosen here.
  const port = await pickFreePort()
  const container = await new GenericContainer(KAFKA_IMAGE)
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_INTER_BROKER_LISTENER_NAME: 'INTERNAL',
      KAFKA_LISTENERS: 'CLIENT://:9092,INTERNAL://:9094,CONTROLLER://:9093',
      KAFKA_ADVERTISED_LISTENERS: `CLIENT://127.0.0.1:${port},INTERNAL://localhost:9094`,
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
    })
    .withExposedPorts({ container: 9092, host: port })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(STARTUP_DEADLINE_MS)
    .start()
  return { container, brokers: `127.0.0.1:${port}` }
}
