import { setTimeout as delay } from 'node:timers/promises'
import type { TcpProxy } from '@streamledger/testkit/tcp-proxy'
import type { PlannedFault } from '../schedule/draw-schedule.ts'
import type { FaultDeps, Inject } from './effect.ts'

function proxyOf({ kind, victims }: PlannedFault, { stack }: FaultDeps): TcpProxy {
  const proxies = kind.includes('broker') ? stack.brokerProxies : stack.databaseProxies
  const proxy = proxies.get(victims[0] ?? '')
  if (!proxy) throw new Error(`there is no proxy of ${victims[0]}`)
  return proxy
}

/** Closes all connections; with a duration, new ones are refused meanwhile. */
export const cutConnections: Inject = async (fault, deps) => {
  const proxy = proxyOf(fault, deps)
  const { connections } = proxy
  if (fault.lasts_ms === 0) proxy.cut()
  else {
    proxy.goDown()
    await delay(fault.lasts_ms, undefined, { signal: deps.signal }).finally(() => proxy.comeUp())
  }
  return { confirmed: connections > 0, detail: `${connections} connections` }
}

/** Keeps all connections open, but passes no data for a while. */
export const hangConnections: Inject = async (fault, deps) => {
  const proxy = proxyOf(fault, deps)
  const { connections } = proxy
  proxy.hang(fault.direction)
  await delay(fault.lasts_ms, undefined, { signal: deps.signal }).finally(() => proxy.release())
  return { confirmed: connections > 0, detail: `${connections} connections, ${fault.direction ?? 'both ways'}` }
}
