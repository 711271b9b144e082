/** The methods of each path, for the 405 answer and its Allow header. */
export interface KnownPaths {
  add(method: string | string[], url: string): void
  methodsOf(path: string): string[]
}

interface KnownPath {
  segments: string[]
  methods: Set<string>
}

const PARAMETER = ':'

export function createKnownPaths(): KnownPaths {
  const paths = new Map<string, KnownPath>()
  return {
    add: (method, url) => {
      const known = paths.get(url) ?? { segments: url.split('/'), methods: new Set<string>() }
      for (const name of [method].flat()) known.methods.add(name)
      paths.set(url, known)
    },
    methodsOf: (path) => {
      const segments = path.split('/')
      // An exact match comes first: "/transactions/export" must not match "/transactions/:transaction_id".
      const known = paths.get(path) ?? [...paths.values()].find((candidate) => matches(candidate, segments))
      return known ? [...known.methods].sort() : []
    },
  }
}

function matches({ segments }: KnownPath, path: string[]): boolean {
  if (segments.length !== path.length) return false
  return segments.every((segment, index) =>
    segment.startsWith(PARAMETER) ? path[index] !== '' : segment === path[index],
  )
}
