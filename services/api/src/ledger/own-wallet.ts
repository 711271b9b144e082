import { type RawBuilder, sql } from 'kysely'

/** The id of a user's wallet, as a subquery: whatever is asked for is looked up within it, so nobody sees another's. */
export function ownWallet(user_id: number): RawBuilder<number> {
  return sql<number>`(select id from wallets where user_id = ${user_id})`
}
