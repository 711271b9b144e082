import type { FastifyRequest } from 'fastify'
import { createClientNetwork } from '../plugins/client-network.ts'
import type { RequestOrigin } from '../security-events.ts'

// The limits of the constraints of security_events. Both values come from the client or a proxy.
const ADDRESS_CHARACTERS_MAX = 64
const USER_AGENT_CHARACTERS_MAX = 200

/** The largest network that a provider usually gives to one customer, so that one customer counts as one network. */
const IPV6_SITE_BITS = 48
const networkOf = createClientNetwork(IPV6_SITE_BITS)

/** `ip` is undefined after the client has disconnected; fastify's type does not say so. */
type Origin = Pick<FastifyRequest, 'id' | 'headers' | 'socket'> & { ip: string | undefined }

export function originOf({ id, ip, socket, headers }: Origin): RequestOrigin {
  return {
    request_id: id,
    address: (ip ?? 'gone').slice(0, ADDRESS_CHARACTERS_MAX),
    network: networkOf({ ip, socket }),
    user_agent: headers['user-agent']?.slice(0, USER_AGENT_CHARACTERS_MAX) ?? null,
  }
}
