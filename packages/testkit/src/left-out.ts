/** The programs in TEST_WITHOUT: this machine does not have them, so their tests are left out. */
export const LEFT_OUT: readonly string[] = (process.env.TEST_WITHOUT ?? '')
  .split(',')
  .map((name) => name.trim())
  .filter((name) => name !== '')
