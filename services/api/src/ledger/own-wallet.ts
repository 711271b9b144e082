import { type RawBuilder, sql } from 'kysely'

/** The id of a user's wallet, as a subquery. Queries filter by it, so that users see only their own data. */
export function ownWallet(user_id: number): RawBuilder<number> {
  return sql<number>`(select id from wallets where user_id = ${user_id})`
}
