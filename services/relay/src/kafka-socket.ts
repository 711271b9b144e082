import { connect as connectPlainly, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectSecurely } from 'node:tls'

export interface Broker {
  host: string
  port: number
  /** Undefined: without TLS. */
  ssl: ConnectionOptions | undefined
}

/** A connection to a broker, whose certificate is held to the name that it was asked for by. */
export function openSocket({ host, port, ssl }: Broker, onConnect?: () => void): Socket {
  if (!ssl) return connectPlainly({ host, port }, onConnect)
  return connectSecurely({ host, port, ...(isIP(host) ? {} : { servername: host }), ...ssl }, onConnect)
}
