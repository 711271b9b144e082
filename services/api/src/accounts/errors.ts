export const accountErrors = {
  email_taken: 'There is already an account with this e-mail address.',
  password_common: 'This password is too common. Choose another.',
  credentials_invalid: 'The e-mail address or the password is wrong.',
  refresh_token_invalid: 'This refresh token is not valid. Log in again.',
  log_in_limited: 'Too many failed log-ins for this account or from this address. Wait, then try again.',
  sign_in_busy: 'Too many sign-ups and log-ins at the moment. Try again soon.',
} as const
export type AccountErrorCode = keyof typeof accountErrors

export interface AccountErrorOptions extends ErrorOptions {
  /** How long to wait before the next try, in s. */
  waitS?: number
}

/** Why a sign-up, a log-in or a refresh failed. */
export class AccountError extends Error {
  override name = 'AccountError'
  readonly code: AccountErrorCode
  readonly waitS: number | undefined
  constructor(code: AccountErrorCode, { waitS, ...options }: AccountErrorOptions = {}) {
    super(accountErrors[code], options)
    this.code = code
    this.waitS = waitS
  }
}
