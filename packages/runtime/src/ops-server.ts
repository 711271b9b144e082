import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'

/** What the ops server needs of a service. */
export interface Service {
  /**
   * Started and not draining. A replica stays ready while the database is down: if all became unready, no request would
   * be answered.
   */
  ready(): boolean
  registry: Registry
}

export interface OpsServer {
  port: number
  close(): Promise<void>
}

/** Serves health checks and metrics on a separate port, which must not be public. */
export async function startOpsServer(
  service: Service,
  { host, port }: { host: string; port: number },
): Promise<OpsServer> {
  const server = createServer({ requestTimeout: 5_000, connectionsCheckingInterval: 5_000 }, (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'method not allowed')
    switch (request.url) {
      case '/health/live':
        return send(response, 200, 'live')
      case '/health/ready':
        return service.ready() ? send(response, 200, 'ready') : send(response, 503, 'not ready')
      case '/metrics':
        return void sendMetrics(response, service.registry)
      default:
        return send(response, 404, 'not found: use /health/live, /health/ready or /metrics')
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function sendMetrics(response: ServerResponse, registry: Registry): Promise<void> {
  try {
    const text = await registry.metrics()
    response.writeHead(200, { 'content-type': registry.contentType }).end(text)
  } catch {
    send(response, 500, 'a metric could not be collected')
  }
}

function send(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
}
