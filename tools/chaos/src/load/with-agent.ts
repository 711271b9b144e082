import { Agent } from 'node:http'

/** Connections that are kept for as long as `use` takes. */
export async function withAgent<T>(use: (agent: Agent) => Promise<T>): Promise<T> {
  const agent = new Agent({ keepAlive: true })
  try {
    return await use(agent)
  } finally {
    agent.destroy()
  }
}
