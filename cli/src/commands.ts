import { audit } from './audit.ts'
import type { Command } from './command.ts'
import { grants } from './grants.ts'
import { outboxStatus } from './outbox-status.ts'
import { reconcile } from './reconcile.ts'
import { relayAdoptCluster } from './relay-adopt-cluster.ts'
import { relayResolve } from './relay-resolve.ts'
import { topicCreate } from './topic-create.ts'
import { topicGrow } from './topic-grow.ts'
import { verify } from './verify.ts'

/** In the order in which --help lists them. */
export const COMMANDS: readonly Command[] = [
  verify,
  reconcile,
  audit,
  outboxStatus,
  relayResolve,
  relayAdoptCluster,
  topicCreate,
  topicGrow,
  grants,
]
