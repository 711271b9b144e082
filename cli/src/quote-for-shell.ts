/** What no shell changes. */
const PLAIN = /^[\w@%+=:,./-]+$/

/** One word of a command that is printed for people to copy, as a POSIX shell must see it. */
export function quoteForShell(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
