import { type KafkaListener, pickFreePort } from '@streamledger/engines'
import { type KafkaProxy, startKafkaProxy } from './kafka-proxy.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** A way into one broker through a proxy. */
export interface KafkaDoor<Proxy extends TcpProxy = TcpProxy> {
  proxy: Proxy
  /**
   * For `startKafka`. Clients follow the addresses that a broker advertises: a listener of its own, advertised as the
   * proxy's port, keeps whoever came in through the proxy behind it.
   */
  listener: KafkaListener
  /** What a client takes for its list of brokers. */
  brokers: string
}

/** Opens a proxy before a broker that is yet to be started with this listener. */
export function openKafkaDoor(): Promise<KafkaDoor> {
  return openDoor(startTcpProxy)
}

/** The same with a proxy that knows Kafka's requests from each other. */
export function openWatchedKafkaDoor(): Promise<KafkaDoor<KafkaProxy>> {
  return openDoor(startKafkaProxy)
}

async function openDoor<Proxy extends TcpProxy>(start: (target: string) => Promise<Proxy>): Promise<KafkaDoor<Proxy>> {
  const port = await pickFreePort()
  const proxy = await start(`127.0.0.1:${port}`)
  const advertisedPort = Number(proxy.address.split(':')[1])
  return { proxy, listener: { name: 'PROXIED', port, advertisedPort }, brokers: proxy.address }
}
