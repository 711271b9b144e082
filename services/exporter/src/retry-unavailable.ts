import { isRetryable, isUnavailable } from '@streamledger/db'
import { type Patience, retry } from './retry.ts'

/** Retries while the database is down, restarting or too slow. Only for work that may be done twice. */
export function retryUnavailable<T>(work: () => Promise<T>, patience: Patience): Promise<T> {
  return retry(work, patience, (error) => isUnavailable(error) || isRetryable(error))
}
