export { createScreen, type Screen } from './create-screen.ts'
export { EngineError, type EngineErrorCode, engineErrors } from './engine-error.ts'
export { executeStatement } from './execute-statement.ts'
export type { FetchJarsOptions } from './fetch-jars.ts'
export { fetchKafkaJars } from './fetch-kafka-jars.ts'
export { findJava } from './find-java.ts'
export type { KafkaListener } from './kafka-properties.ts'
export { parseInOneLine } from './parse-in-one-line.ts'
export { parseNumber } from './parse-number.ts'
export { isPortFree, pickFreePort } from './ports.ts'
export { choosePostgresUser } from './postgres-user.ts'
export { commandLineOf, endProcess, isProcess, listDescendants, signalProcess } from './processes.ts'
export { readNodeFlags } from './read-node-flags.ts'
export { type ReadTopicOptions, readTopic, readTopicEnds, type TopicEnds, type TopicRecord } from './read-topic.ts'
export { runTool } from './run-tool.ts'
export { type EngineProcess, type Exit, spawnEngine, tailOf, waitUntilReady } from './spawn-engine.ts'
export { type KafkaEngine, type StartKafkaOptions, startKafka } from './start-kafka.ts'
export { type KafkaCluster, type StartKafkaClusterOptions, startKafkaCluster } from './start-kafka-cluster.ts'
export {
  findPostgresPrograms,
  type PostgresEngine,
  type StartPostgresOptions,
  startPostgres,
} from './start-postgres.ts'
export { fetchS3Jars, type S3Engine, type StartS3Options, startS3 } from './start-s3.ts'
export { type RecordedProcess, type RunLock, type TakeRunLock, takeRunLock } from './take-run-lock.ts'
