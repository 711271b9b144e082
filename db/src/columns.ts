import type { ExportsTable, RefusalsTable, TransactionsTable, UsersTable, WalletsTable } from './schema.ts'

// Prepared statements must list these columns instead of "*": a migration that adds a column would change the result of
// "*", and Postgres then refuses the statement on every connection ("cached plan must not change result type").

/** All columns of a table, in any order. A missing column is a type error. */
const allOf =
  <Table>() =>
  <const Columns extends readonly (keyof Table & string)[]>(
    columns: Exclude<keyof Table, Columns[number]> extends never ? Columns : never,
  ): Columns =>
    columns

export const userColumns = allOf<UsersTable>()(['id', 'first_name', 'last_name', 'email', 'password', 'created_at'])

export const walletColumns = allOf<WalletsTable>()([
  'id',
  'user_id',
  'balance',
  'currency',
  'sequence',
  'version',
  'created_at',
  'updated_at',
])

export const transactionColumns = allOf<TransactionsTable>()([
  'id',
  'wallet_id',
  'sequence',
  'entry',
  'amount',
  'balance',
  'trans_id',
  'created_at',
])

export const refusalColumns = allOf<RefusalsTable>()([
  'wallet_id',
  'trans_id',
  'entry',
  'amount',
  'code',
  'balance',
  'created_at',
])

export const exportColumns = allOf<ExportsTable>()([
  'id',
  'wallet_id',
  'status',
  'entry',
  'from_at',
  'to_at',
  'as_of_sequence',
  'idempotency_key',
  'attempt',
  'rows_done',
  'rows_total',
  'file',
  'size',
  'sha256',
  'error',
  'created_at',
  'started_at',
  'finished_at',
  'expires_at',
])
