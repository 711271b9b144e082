import { isIP } from 'node:net'
import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'

/** Some proxies append the port. */
const WITH_PORT = /^(?:\[([\da-f:.]+)\]|(\d{1,3}(?:\.\d{1,3}){3})):\d{1,5}$/i
const NOWHERE = 'nowhere'
const KNOWN_MAX = 10_000

type From = Pick<FastifyRequest, 'socket'> & { ip: string | undefined }

/**
 * Returns where a request comes from, for counting: its IPv4 address, or the network of its IPv6 address, since a
 * client can use every address of its network. `prefixBits` is the prefix length of that network.
 */
export function createClientNetwork(prefixBits: number): (from: From) => string {
  // A cache, since parsing an IPv6 address takes several times as long as counting a request.
  const known = new Map<string, string>()

  return ({ ip, socket }) => {
    const address = addressOf(ip) ?? addressOf(socket.remoteAddress) ?? NOWHERE
    const found = known.get(address)
    if (found !== undefined) return found
    const network = address === NOWHERE ? NOWHERE : normalizeIP(address, prefixBits)
    if (known.size >= KNOWN_MAX) known.delete(known.keys().next().value as string)
    known.set(address, network)
    return network
  }
}

/** Returns undefined if the text is no address: a proxy may forward anything. */
function addressOf(text: string | undefined): string | undefined {
  if (text === undefined || isIP(text) !== 0) return text
  const [, v6, v4] = WITH_PORT.exec(text) ?? []
  const address = v6 ?? v4 ?? ''
  return isIP(address) === 0 ? undefined : address
}
