/** Another address of the broker. With a different advertised port, clients connect to a proxy before the broker. */
export type KafkaListener = {
  name: string
  port: number
  advertisedPort: number
  /** Default: PLAINTEXT. */
  protocol?: 'SASL_SSL' | 'SSL'
}

/** One node's place in a cluster whose nodes are all brokers and controllers. */
export type KafkaNode = { id: number; controllerPorts: readonly number[] }

export type KafkaPropertiesInput = {
  logDir: string
  port: number
  node: KafkaNode
  listeners?: readonly KafkaListener[]
  settings?: Record<string, string>
}

const REPLICAS_MAX = 3

/**
 * The configuration of one node that is both broker and controller. With one node there is one replica of everything; a
 * larger cluster has three, and two must have a record before it is acknowledged.
 */
export function kafkaProperties({
  logDir,
  port,
  node: { id, controllerPorts },
  listeners = [],
  settings,
}: KafkaPropertiesInput): string {
  const replicas = String(Math.min(REPLICAS_MAX, controllerPorts.length))
  const inSync = controllerPorts.length > 1 ? '2' : '1'
  const all: KafkaListener[] = [{ name: 'CLIENT', port, advertisedPort: port }, ...listeners]
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': controllerPorts.map((port, index) => `${index + 1}@127.0.0.1:${port}`).join(','),
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'CLIENT',
    listeners: [
      ...all.map((l) => `${l.name}://127.0.0.1:${l.port}`),
      `CONTROLLER://127.0.0.1:${controllerPorts[id - 1]}`,
    ].join(','),
    'advertised.listeners': all.map((l) => `${l.name}://127.0.0.1:${l.advertisedPort}`).join(','),
    'listener.security.protocol.map': [
      ...all.map((l) => `${l.name}:${l.protocol ?? 'PLAINTEXT'}`),
      'CONTROLLER:PLAINTEXT',
    ].join(','),
    'log.dirs': logDir,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': '1',
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'auto.create.topics.enable': 'false', // a misspelt topic is an error, not a new topic
    'group.initial.rebalance.delay.ms': '0', // the delay is only useful for groups with many members
    // A killed broker may only come back after its old session has expired: by default after 9 s.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'log.cleaner.dedupe.buffer.size': '16777216', // the default, 128 MiB, is a quarter of this broker's heap
    ...settings,
  }
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
