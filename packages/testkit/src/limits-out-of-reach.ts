/**
 * The API's limits, set so high that nobody meets them: a test, a bench and a campaign are one address, and some of them
 * flood. They count all the same, so that what is measured is what users get.
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
