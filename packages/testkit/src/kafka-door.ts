import { type KafkaListener, pickFreePort } from '@streamledger/engines'
import { type KafkaProxy, startKafkaProxy } from './kafka-proxy.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** A proxy in front of one broker. */
export interface KafkaDoor<Proxy extends TcpProxy = TcpProxy> {
  proxy: Proxy
  /**
   * For `startKafka`. Clients use the addresses that a broker advertises, so the broker gets an extra listener that
   * advertises the port of the proxy: a client of the proxy then stays behind it.
   */
  listener: KafkaListener
  /** The list of brokers for a client. */
  brokers: string
}

/** Opens a proxy in front of a broker that will be started with this listener. */
export function openKafkaDoor(): Promise<KafkaDoor> {
  return openDoor(startTcpProxy)
}

/** The same with a proxy that can tell Kafka's requests apart. */
export function openWatchedKafkaDoor(): Promise<KafkaDoor<KafkaProxy>> {
  return openDoor(startKafkaProxy)
}

async function openDoor<Proxy extends TcpProxy>(start: (target: string) => Promise<Proxy>): Promise<KafkaDoor<Proxy>> {
  const port = await pickFreePort()
  const proxy = await start(`127.0.0.1:${port}`)
  const advertisedPort = Number(proxy.address.split(':')[1])
  return { proxy, listener: { name: 'PROXIED', port, advertisedPort }, brokers: proxy.address }
}
