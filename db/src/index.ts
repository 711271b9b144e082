export { type AwaitDatabase, awaitDatabase } from './await-database.ts'
export type { ClaimInstallation } from './claim-installation.ts'
export { claimInstallation } from './claim-installation.ts'
export { exportColumns, refusalColumns, transactionColumns, userColumns, walletColumns } from './columns.ts'
export type { Database } from './database.ts'
export { dumpSchema } from './dump-schema.ts'
export { BARRIER, IS_SYNCHRONOUS } from './durability.ts'
export { DatabaseError } from './errors.ts'
export {
  type GrantsPlan,
  grantRoles,
  planAndApply,
  planGrants,
  readServiceRoles,
  renewRoles,
  type ServiceRole,
  type Statement,
  urlVariableOf,
} from './grants.ts'
export { migrate } from './migrate.ts'
export { createPool, type PoolOptions } from './pool.ts'
export type { PrepareDatabase } from './prepare-database.ts'
export { prepareDatabase } from './prepare-database.ts'
export { renderPrivileges, SERVICES, type Service } from './privileges.ts'
export type * from './schema.ts'
export { isDenied, isLockTimeout, isRetryable, isUnavailable, isUniqueViolation } from './sqlstate.ts'
export { inTransaction } from './transaction.ts'
export { withTransaction } from './with-transaction.ts'
