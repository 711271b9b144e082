import { type AddressInfo, connect, createServer } from 'node:net'
import { onTestFinished } from 'vitest'

/** The Terminate message: the last message of a Postgres client before it closes its end. */
const GOODBYE = Buffer.from('X\0\0\0\x04', 'latin1')

/**
 * A proxy to Postgres that holds back Terminate messages until the test is over, so that the server can still end a
 * connection that its client is closing.
 */
export async function withholdGoodbyes(databaseUrl: string): Promise<{ url: string; readonly withheld: number }> {
  const url = new URL(databaseUrl)
  const { hostname, port } = url
  let withheld = 0
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    for (const socket of [client, target]) socket.on('error', () => {})
    client.on('data', (chunk: Buffer) => {
      if (!chunk.subarray(-GOODBYE.length).equals(GOODBYE)) return void target.write(chunk)
      target.write(chunk.subarray(0, -GOODBYE.length))
      withheld += 1
    })
    client.on('close', () => target.destroy())
    target.pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url: url.href,
    get withheld() {
      return withheld
    },
  }
}
