import type { FaultLog } from '../fault-log.ts'

/** What `verify` looks for, and what has been looked at for it. */
export const LEDGER_FAULTS = {
  balance_differs: { promise: 'a balance is the sum of its entries', of: 'wallets' },
  sequence_gap: { promise: 'sequences have no gap up to the wallet’s', of: 'transactions' },
  sequence_beyond: { promise: 'no transaction is beyond its wallet’s sequence', of: 'wallets' },
  chain_broken: { promise: 'each balance is the one before, plus or minus the amount', of: 'transactions' },
  time_backwards: { promise: 'created_at never runs backwards against sequence', of: 'transactions' },
  wallet_missing: { promise: 'every transaction has its wallet', of: 'transactions' },
  refusal_with_effect: { promise: 'a refused trans_id is no transaction', of: 'refusals' },
  outbox_differs: { promise: 'an outbox row says what its transaction says', of: 'outbox_rows' },
  export_differs: { promise: 'an export has the rows that its range has', of: 'exports' },
} as const satisfies Record<string, { promise: string; of: keyof Checked }>

export type LedgerFault = keyof typeof LEDGER_FAULTS
export type LedgerFaultLog = FaultLog<LedgerFault>

/** How many of each have been looked at. */
export interface Checked {
  wallets: number
  transactions: number
  refusals: number
  outbox_rows: number
  exports: number
}

/** What each part of `verify` works with. */
export interface Verification {
  faults: LedgerFaultLog
  checked: Checked
  /** Called whenever `checked` has risen. */
  onProgress: () => void
}
