/** The names of PromQL itself that are used here. Add further ones when you use them. */
const WORDS = new Set(
  'absent and by clamp_min count_over_time histogram_quantile increase label_replace last_over_time max min_over_time on or rate sum time'.split(
    ' ',
  ),
)

const STRING = /"(?:[^"\\]|\\.)*"/g
const GROUPING = /\b(?:by|on)\s*\(([^)]*)\)/g
const SELECTOR = /([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{[^}]*\})?/g
const MATCHER = /([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g

export interface Selector {
  name: string
  /** What it asks of labels, by their names. */
  matchers: Record<string, { operator: string; value: string }>
}

/** Every series that an expression asks for. It may name no label but in a matcher or in a grouping. */
export function listSelectors(expression: string): Selector[] {
  const text = expression.replaceAll(GROUPING, '').replaceAll(/\[[^\]]*\]/g, '')
  // A label's value may look like anything: outside of matchers, strings are arguments.
  const bare = text.replaceAll(/\{[^}]*\}|"(?:[^"\\]|\\.)*"/g, (part) => (part.startsWith('{') ? part : ''))
  return [...bare.matchAll(SELECTOR)].flatMap(([, name = '', matchers = '']) => {
    if (WORDS.has(name)) return []
    const entries = [...matchers.matchAll(MATCHER)].map(([, label = '', operator = '', value = '']) => [
      label,
      { operator, value },
    ])
    return [{ name, matchers: Object.fromEntries(entries) }]
  })
}

/** The labels that an expression groups by. */
export function listGroupings(expression: string): string[] {
  return [...expression.replaceAll(STRING, '').matchAll(GROUPING)].flatMap(([, labels = '']) =>
    labels.split(',').flatMap((label) => label.trim() || []),
  )
}
