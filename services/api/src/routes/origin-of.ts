import type { FastifyRequest } from 'fastify'
import type { RequestOrigin } from '../security-events.ts'

// As the constraints of security_events have it: both are what a client, or a proxy, chose to send.
const ADDRESS_CHARACTERS_MAX = 64
const USER_AGENT_CHARACTERS_MAX = 200

/** Node no longer knows the address of a client that has gone away, which fastify's type of `ip` keeps quiet about. */
type Origin = Pick<FastifyRequest, 'id' | 'headers'> & { ip: string | undefined }

export function originOf({ id, ip = 'gone', headers }: Origin): RequestOrigin {
  return {
    request_id: id,
    address: ip.slice(0, ADDRESS_CHARACTERS_MAX),
    user_agent: headers['user-agent']?.slice(0, USER_AGENT_CHARACTERS_MAX) ?? null,
  }
}
