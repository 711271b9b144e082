/** A further address of the broker; advertising another port than it listens on puts a proxy between clients and broker. */
export type KafkaListener = { name: string; port: number; advertisedPort: number }

export type KafkaPropertiesInput = {
  logDir: string
  port: number
  controllerPort: number
  listeners?: readonly KafkaListener[]
  settings?: Record<string, string>
}

/** The configuration of one node that is broker and controller at once, with everything that counts replicas set to one. */
export function kafkaProperties({
  logDir,
  port,
  controllerPort,
  listeners = [],
  settings,
}: KafkaPropertiesInput): string {
  const all: KafkaListener[] = [{ name: 'CLIENT', port, advertisedPort: port }, ...listeners]
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'CLIENT',
    listeners: [...all.map((l) => `${l.name}://127.0.0.1:${l.port}`), `CONTROLLER://127.0.0.1:${controllerPort}`].join(
      ',',
    ),
    'advertised.listeners': all.map((l) => `${l.name}://127.0.0.1:${l.advertisedPort}`).join(','),
    'listener.security.protocol.map': [...all.map((l) => `${l.name}:PLAINTEXT`), 'CONTROLLER:PLAINTEXT'].join(','),
    'log.dirs': logDir,
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'share.coordinator.state.topic.num.partitions': '1',
    'default.replication.factor': '1',
    'min.insync.replicas': '1',
    'auto.create.topics.enable': 'false', // a misspelt topic is an error, not a new topic
    'group.initial.rebalance.delay.ms': '0', // the wait is for the other members of a large fleet
    // A killed broker may come back only when its old session has run out: 9 s by default, which suits a fleet.
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'log.cleaner.dedupe.buffer.size': '16777216', // the default, 128 MiB, is a quarter of this broker's heap
    ...settings,
  }
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
