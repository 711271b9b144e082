import type { FastifyRequest } from 'fastify'
import { createClientNetwork } from '../plugins/client-network.ts'
import type { RequestOrigin } from '../security-events.ts'

// As the constraints of security_events have it: both are what a client, or a proxy, chose to send.
const ADDRESS_CHARACTERS_MAX = 64
const USER_AGENT_CHARACTERS_MAX = 200

/** What one customer of a provider has at most, as a rule: whoever is counted must not have thousands of networks. */
const IPV6_SITE_BITS = 48
const networkOf = createClientNetwork(IPV6_SITE_BITS)

/** Node no longer knows the address of a client that has gone away, which fastify's type of `ip` keeps quiet about. */
type Origin = Pick<FastifyRequest, 'id' | 'headers' | 'socket'> & { ip: string | undefined }

export function originOf({ id, ip, socket, headers }: Origin): RequestOrigin {
  return {
    request_id: id,
    address: (ip ?? 'gone').slice(0, ADDRESS_CHARACTERS_MAX),
    network: networkOf({ ip, socket }),
    user_agent: headers['user-agent']?.slice(0, USER_AGENT_CHARACTERS_MAX) ?? null,
  }
}
