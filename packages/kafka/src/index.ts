export { createKafka } from './create-kafka.ts'
export {
  type FetchedPartition,
  type InnerBroker,
  type InnerCluster,
  type InnerMessage,
  isolateFailures,
  openInnerCluster,
} from './inner-cluster.ts'
export { type KafkaAccess, kafkaEnv, readKafkaAccess } from './kafka-access.ts'
export {
  describeDifference,
  findDifference,
  identifyNextProducer,
  type KafkaIdentity,
  pinnedOf,
  readIdentity,
} from './kafka-identity.ts'
export { produceDirectly } from './produce-directly.ts'
export { createReader, type Reader as ProtocolReader } from './protocol-reader.ts'
export { EARLIEST, fetchPartition, findLeader, LATEST, listOffsets, markOf, type Reader } from './read-partition.ts'
export { parseOffset, parseReceipt, type Receipt, receiptGroupOf, transactionalIdOf } from './receipt.ts'
export { rememberCoordinators } from './remember-coordinators.ts'
export {
  chooseReplicationFactor,
  createTopic,
  messageBytesMin,
  readTopicState,
  settingsOf,
  type TopicState,
  type WantedTopic,
} from './topic.ts'
export { topicEnv } from './topic-env.ts'
