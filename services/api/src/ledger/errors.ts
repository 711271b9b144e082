export const ledgerErrors = {
  insufficient_funds: 'The balance does not cover this debit.',
  balance_limit: 'This credit would take the wallet past the largest balance it can hold.',
  trans_id_reused: 'This trans_id was used for a different transaction.',
  wallet_not_found: 'There is no such wallet.',
  transaction_not_found: 'There is no such transaction.',
  busy: 'More requests are waiting than can be served soon. Try again with the same trans_id.',
  contended:
    'The wallet was changed by others faster than this request could change it. Try again with the same trans_id.',
  outcome_unknown:
    'The database did not answer in time. Try again with the same trans_id: it takes effect at most once.',
  paused: 'Posting is paused while the event stream is being changed. Try again with the same trans_id.',
} as const
export type LedgerErrorCode = keyof typeof ledgerErrors

export interface LedgerErrorDetails {
  /** Of the wallet when the request was refused, in kobo. */
  balance?: number
  /** What differs from the first use of a trans_id. */
  fields?: string[]
}

/** Why a ledger request has no transaction to answer with. */
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

// One for all: these are thrown thousands of times a second, and where they were made tells nobody anything.
export const busy = withoutStack(new LedgerError('busy'))
export const contended = withoutStack(new LedgerError('contended'))

function withoutStack(error: LedgerError): LedgerError {
  delete error.stack
  return error
}
