import type { Kafka } from 'kafkajs'
import { findCreateCluster, type InnerBroker, type InnerCluster } from './inner-cluster.ts'

type Coordinator = InnerBroker & { nodeId: number }
type Request = (request: object) => Promise<unknown>

/** The requests of a transaction that go to a coordinator. */
const REQUESTS = ['initProducerId', 'addPartitionsToTxn', 'addOffsetsToTxn', 'txnOffsetCommit', 'endTxn'] as const

/**
 * Makes a client's producers cache their coordinators. kafkajs looks them up before each request, four times per
 * transaction, with one round trip each. After an error of a coordinator it is looked up again, except after
 * CONCURRENT_TRANSACTIONS: then it is the right one, only busy.
 */
export function rememberCoordinators(kafka: Kafka): void {
  const { create, replace } = findCreateCluster(kafka)
  replace((options) => rememberIn(create(options)))
}

function rememberIn(cluster: InnerCluster): InnerCluster {
  const nodes = new Map<string, number>()
  const ask = cluster.findGroupCoordinator.bind(cluster)
  const findKnown = async (key: string): Promise<Coordinator | undefined> => {
    const nodeId = nodes.get(key)
    if (nodeId === undefined) return undefined
    // findBroker reconnects if necessary. A node that cannot be reached is forgotten.
    return cluster.findBroker({ nodeId }).catch(() => void nodes.delete(key)) as Promise<Coordinator | undefined>
  }
  return Object.assign(cluster, {
    async findGroupCoordinator(asked: { groupId: string; coordinatorType?: number }): Promise<Coordinator> {
      const key = `${asked.coordinatorType ?? 0} ${asked.groupId}`
      const broker = (await findKnown(key)) ?? (await ask(asked))
      nodes.set(key, broker.nodeId)
      return forgetOnError(broker, () => nodes.delete(key))
    },
  })
}

function forgetOnError(broker: Coordinator, forget: () => void): Coordinator {
  const requests = broker as unknown as Record<string, Request>
  const watched = REQUESTS.map((name) => [
    name,
    async (request: object) => {
      try {
        return await requests[name]?.(request)
      } catch (error) {
        if ((error as { type?: string }).type !== 'CONCURRENT_TRANSACTIONS') forget()
        throw error
      }
    },
  ])
  return Object.assign(Object.create(broker), Object.fromEntries(watched))
}
