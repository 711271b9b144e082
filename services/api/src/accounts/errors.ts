export const accountErrors = {
  email_taken: 'There is already an account with this e-mail address.',
  password_common: 'This password is one of the first that anybody would try. Choose another.',
  credentials_invalid: 'The e-mail address or the password is wrong.',
  refresh_token_invalid: 'This refresh token is not valid. Log in again.',
  log_in_limited: 'Too many log-ins have failed for this account or from this address. Wait, then try again.',
  sign_in_busy: 'Too many people are signing in at this moment. Try again soon.',
} as const
export type AccountErrorCode = keyof typeof accountErrors

export interface AccountErrorOptions extends ErrorOptions {
  /** How long it is no use to try again. */
  waitS?: number
}

/** Why somebody could not be signed up, logged in, or kept signed in. */
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
