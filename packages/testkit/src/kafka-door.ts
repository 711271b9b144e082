import { type KafkaListener, pickFreePort } from '@streamledger/engines'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** A way into one broker through a proxy. */
export interface KafkaDoor {
  proxy: TcpProxy
  /**
   * For `startKafka`. Clients follow the addresses that a broker advertises: a listener of its own, advertised as the
   * proxy's port, keeps whoever came in through the proxy behind it.
   */
  listener: KafkaListener
  /** What a client takes for its list of brokers. */
  brokers: string
}

/** Opens a proxy before a broker that is yet to be started with this listener. */
export async function openKafkaDoor(): Promise<KafkaDoor> {
  const port = await pickFreePort()
  const proxy = await startTcpProxy(`127.0.0.1:${port}`)
  const advertisedPort = Number(proxy.address.split(':')[1])
  return { proxy, listener: { name: 'PROXIED', port, advertisedPort }, brokers: proxy.address }
}
