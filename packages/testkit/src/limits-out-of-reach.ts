/**
 * Limits of the API that are too high to be reached: a test or a bench sends all its requests from one address, and some
 * send very many. The API still counts them, so that measurements include the cost of counting.
 */
export const LIMITS_OUT_OF_REACH = {
  RATE_LIMIT_ADDRESS_MAX: '1000000000',
  RATE_LIMIT_USER_MAX: '1000000000',
  RATE_LIMIT_SIGN_IN_MAX: '1000000000',
  EVENT_LOOP_LAG_MAX_MS: '60000',
  LOG_IN_FREE_MAX: '1000000000',
  LOG_IN_ACCOUNT_FAILURES_MAX: '1000000000',
  LOG_IN_ADDRESS_FAILURES_MAX: '1000000000',
} as const
