/**
 * Loads the configuration from the environment. On an error it prints one line without a stack trace, and exits with
 * code 1: a user needs the mistake, not the place in the code.
 */
export function readConfig<Config>(load: (env: NodeJS.ProcessEnv) => Config): Config {
  try {
    return load(process.env)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exit(1)
  }
}
