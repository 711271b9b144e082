export const ledgerErrors = {
  insufficient_funds: 'The balance does not cover this debit.',
  balance_limit: 'This credit would exceed the largest balance that a wallet can hold.',
  trans_id_reused: 'This trans_id was used for a different transaction.',
  wallet_not_found: 'There is no such wallet.',
  transaction_not_found: 'There is no such transaction.',
  busy: 'Too many requests are waiting. Try again with the same trans_id.',
  contended: 'Other requests kept changing this wallet. Try again with the same trans_id.',
  outcome_unknown:
    'The database did not answer in time. Try again with the same trans_id: it takes effect at most once.',
  paused: 'Posting is paused while the event stream is being changed. Try again with the same trans_id.',
} as const
export type LedgerErrorCode = keyof typeof ledgerErrors

export interface LedgerErrorDetails {
  /** Balance of the wallet when the request was refused, in kobo. */
  balance?: number
  /** It is a recorded refusal that was given before: nothing was decided now. */
  replayed?: boolean
  /** The fields that differ from the first use of the trans_id. */
  fields?: string[]
}

/** Why a ledger request was not answered with a transaction. */
export class LedgerError extends Error {
  override name = 'LedgerError'
  readonly code: LedgerErrorCode
  readonly details: LedgerErrorDetails
  constructor(code: LedgerErrorCode, details: LedgerErrorDetails = {}, options?: ErrorOptions) {
    super(ledgerErrors[code], options)
    this.code = code
    this.details = details
  }
}

// Shared instances: these are thrown thousands of times per second, and a stack would say nothing useful.
export const busy = withoutStack(new LedgerError('busy'))
export const contended = withoutStack(new LedgerError('contended'))

function withoutStack(error: LedgerError): LedgerError {
  delete error.stack
  return error
}
