/** What TEST_WITHOUT names: programs that this machine does not have, and whose tests it is not to run. */
export const LEFT_OUT: readonly string[] = (process.env.TEST_WITHOUT ?? '')
  .split(',')
  .map((name) => name.trim())
  .filter((name) => name !== '')
