/**
 * Whether Kafka, or the way to it, is at fault. The names of all errors of kafkajs begin with KafkaJS, but for one: a broker
 * that took the connection and did not answer.
 */
export function isKafkaError(error: unknown): boolean {
  const { name = '', message = '' } = error as Error
  return name.startsWith('KafkaJS') || message === 'Broker not connected'
}
