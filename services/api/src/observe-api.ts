import { observePools } from '@streamledger/runtime'
import { Gauge, type Registry } from 'prom-client'
import type { Passwords } from './accounts/passwords.ts'
import type { PostingQueue } from './ledger/posting-queue.ts'
import type { Databases } from './open-databases.ts'

export interface ObservedApi {
  posting: Pick<PostingQueue, 'pending' | 'waiting'>
  passwords: Pick<Passwords, 'load'>
  databases: Pick<Databases, 'main' | 'posting'>
}

/** Gauges of the queues: they grow before requests are refused. */
export function observeApi(registry: Registry, { posting, passwords, databases }: ObservedApi): void {
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  gauge('posting_pending', 'Postings that are waiting for a commit or are part of one.', () => posting.pending)
  gauge(
    'posting_waiting',
    'Postings that are not part of a commit yet, at most POSTING_WAITING_MAX.',
    () => posting.waiting,
  )
  gauge('password_hashes_running', 'Passwords being hashed, at most PASSWORD_HASHES_MAX.', () => passwords.load.running)
  gauge(
    'password_hashes_waiting',
    'Sign-ups and log-ins that wait for their password to be hashed, at most PASSWORD_WAITING_MAX.',
    () => passwords.load.waiting,
  )
  observePools(registry, { main: databases.main.pool, posting: databases.posting.pool })
}
