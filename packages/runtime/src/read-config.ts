/**
 * What `load` makes of this process's environment. Whoever typed it wants to know what is wrong with it, and not where
 * in the code that was noticed: one line, and exit code 1.
 */
export function readConfig<Config>(load: (env: NodeJS.ProcessEnv) => Config): Config {
  try {
    return load(process.env)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exit(1)
  }
}
