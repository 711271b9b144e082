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

/** A port at which a running broker listens for what comes in through the other one. */
export interface DoorPorts {
  listenerPort: number
  proxyPort: number
}

/** Ports for doors to a broker that is yet to be started with these listeners; a proxy is put up by `openOneOf` later. */
export async function planDoors(count: number): Promise<{ listeners: KafkaListener[]; doors: DoorPorts[] }> {
  const doors: DoorPorts[] = []
  for (let index = 0; index < count; index += 1) {
    doors.push({ listenerPort: await pickFreePort(), proxyPort: await pickFreePort() })
  }
  const listeners = doors.map(({ listenerPort, proxyPort }, index) => ({
    ...{ name: `PROXIED${index}`, port: listenerPort, advertisedPort: proxyPort },
  }))
  return { listeners, doors }
}

/** Opens the first of these doors that no other test has open. */
export async function openOneOf(doors: readonly DoorPorts[]): Promise<KafkaProxy | undefined> {
  for (const { listenerPort, proxyPort } of doors) {
    try {
      return await startKafkaProxy(`127.0.0.1:${listenerPort}`, proxyPort)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
  }
  return undefined
}
