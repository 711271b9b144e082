import { observePools } from '@streamledger/runtime'
import { Gauge, type Registry } from 'prom-client'
import type { Passwords } from './accounts/passwords.ts'
import type { Posting } from './ledger/posting.ts'
import type { Databases } from './open-databases.ts'

export interface ObservedApi {
  posting: Pick<Posting, 'pending' | 'waiting'>
  passwords: Pick<Passwords, 'load'>
  databases: Pick<Databases, 'main' | 'posting'>
}

/** What shows that something does not keep up, before anybody is refused. */
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
  gauge('posting_pending', 'Postings that wait for a commit or are in one.', () => posting.pending())
  gauge('posting_waiting', 'Postings that are in no commit yet, POSTING_WAITING_MAX at most.', () => posting.waiting())
  gauge('password_hashes_running', 'Passwords being hashed, PASSWORD_HASHES_MAX at most.', () => passwords.load.running)
  gauge(
    'password_hashes_waiting',
    'Sign-ups and log-ins that wait for their turn to hash, PASSWORD_WAITING_MAX at most.',
    () => passwords.load.waiting,
  )
  observePools(registry, { main: databases.main.pool, posting: databases.posting.pool })
}
