import { connect as connectPlainly, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectSecurely } from 'node:tls'

export interface Broker {
  host: string
  port: number
  /** Undefined: no TLS. */
  ssl: ConnectionOptions | undefined
}

/** Connects to a broker. With TLS, its certificate must match the host name. */
export function openSocket({ host, port, ssl }: Broker, onConnect?: () => void): Socket {
  if (!ssl) return connectPlainly({ host, port }, onConnect)
  return connectSecurely({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
}
