import type { FaultLog } from '../fault-log.ts'

/** The faults that `verify` looks for, each with its promise and with the rows that are checked for it. */
export const LEDGER_FAULTS = {
  balance_differs: { promise: 'a balance is the sum of its entries', of: 'wallets' },
  sequence_gap: { promise: 'the sequences of a wallet have no gap', of: 'transactions' },
  sequence_beyond: { promise: 'no transaction has a higher sequence than its wallet', of: 'wallets' },
  chain_broken: { promise: 'each balance is the one before, plus or minus the amount', of: 'transactions' },
  time_backwards: { promise: 'created_at never goes back as the sequence rises', of: 'transactions' },
  wallet_missing: { promise: 'every transaction has its wallet', of: 'transactions' },
  refusal_with_effect: { promise: 'a refused trans_id has no transaction', of: 'refusals' },
  outbox_differs: { promise: 'an outbox row matches its transaction', of: 'outbox_rows' },
  export_differs: { promise: 'an export has as many rows as its range', of: 'exports' },
} as const satisfies Record<string, { promise: string; of: keyof Checked }>

export type LedgerFault = keyof typeof LEDGER_FAULTS
export type LedgerFaultLog = FaultLog<LedgerFault>

/** The number of checked rows. */
export interface Checked {
  wallets: number
  transactions: number
  refusals: number
  outbox_rows: number
  exports: number
}

/** The context of each part of `verify`. */
export interface Verification {
  faults: LedgerFaultLog
  checked: Checked
  /** Called whenever `checked` has risen. */
  onProgress: () => void
}
