import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'

/** Returns what is wrong with a value, in words that follow the name of its variable, or undefined if it is right. */
type FindFault = (value: string) => string | undefined

/**
 * The formats that a schema may name for a variable. No fault repeats the value or a part of it: a password may stand
 * where it does not belong.
 */
export const ENV_FORMATS = {
  'postgres-url': (text) => findPostgresUrlFault(text) ?? findFileFault(parsePostgresUrl(text).searchParams),
  /** For an address that another program connects with: its files need not be here. */
  'foreign-postgres-url': findPostgresUrlFault,
  'http-url': findHttpUrlFault,
  brokers: findBrokersFault,
  host: (host) => (isHost(host) ? undefined : 'must be one IP address or host name, without a port'),
} satisfies Record<string, FindFault>

export type EnvFormat = keyof typeof ENV_FORMATS

const HOST_NAME = /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?$/i

const isHost = (host: string): boolean => isIP(host) !== 0 || HOST_NAME.test(host)

/** As kafkajs reads it: it takes each address apart at its colons. */
function findBrokersFault(list: string): string | undefined {
  const faults = list.split(',').flatMap((entry, index) => {
    const fault = findBrokerFault(entry.trim())
    return fault === undefined ? [] : [`address ${index + 1} ${fault}`]
  })
  return faults.length > 0 ? `must list host:port, separated by commas: ${faults.join(', ')}` : undefined
}

function findBrokerFault(broker: string): string | undefined {
  if (broker === '') return 'is empty'
  if (broker.includes('://')) return 'has a scheme before the host'
  const [host = '', port, ...rest] = broker.split(':')
  if (rest.length > 0) return 'has more than one colon, and an IPv6 address is not supported (use a host name for it)'
  if (port === undefined || port === '') return 'has no port'
  if (!isPort(port)) return 'has a port that is not a number from 1 to 65535'
  return isHost(host) ? undefined : 'has no valid host'
}

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify']
const SSL_FILES = ['sslrootcert', 'sslcert', 'sslkey']
/** pg takes every other value of `ssl` for yes, `false` among them. */
const SSL_VALUES = ['true', '1', '0']
const SSL_NEGOTIATIONS = ['postgres', 'direct']
const TLS_NAMES = ['ssl', 'sslmode', 'sslnegotiation', ...SSL_FILES, 'uselibpqcompat']
const PERCENT_HINT = 'in a user name or password, write % as %25, / as %2F, # as %23, ? as %3F and @ as %40'

function findPostgresUrlFault(text: string): string | undefined {
  // pg reads another address if it has one. The line break at the end of a file does no harm.
  if (/ |\s\S/.test(text)) return 'has a space or a line break: write a space as %20'
  const [, scheme = '', authority = '', rest = ''] = /^([^:/?#]*):\/\/([^/?#]*)(.*)$/.exec(text.trim()) ?? []
  if (scheme === '') return 'must be a URL that begins with postgres://'
  if (!['postgres', 'postgresql'].includes(scheme.toLowerCase())) return 'must begin with postgres://'
  const isCutShort = /^[^=]*@/.test(rest) && !authority.includes('@') // by a / or ? in the password
  if (isCutShort || rest.includes('#')) return `has an @ or a # after the host: ${PERCENT_HINT}`
  if (authority.slice(authority.lastIndexOf('@') + 1).includes(',')) return 'must have one host, not several'
  const url = URL.canParse(withHost(text)) ? parsePostgresUrl(text) : undefined
  if (!url) return `is not a valid URL: the host or the port is wrong, or ${PERCENT_HINT}`
  if (![url.username, url.password, url.pathname, url.hostname].every(isDecodable)) {
    return `has a % without two hexadecimal digits after it: ${PERCENT_HINT}`
  }
  if (url.port === '0') return 'must have a port from 1 to 65535'
  if (url.pathname.slice(1).includes('/')) return 'must have the name of one database after the host'
  if (new Set(['', NO_HOST]).has(url.hostname) && !url.searchParams.get('host')) return 'must have a host'
  return findPlaceFault(url.searchParams) ?? findTlsFault(url.searchParams)
}

/** The parameters come before what stands in the address itself. */
function findPlaceFault(parameters: URLSearchParams): string | undefined {
  if (parameters.getAll('host').some((host) => host.includes(','))) return 'must have one host, not several'
  return parameters.getAll('port').every(isPort) ? undefined : 'must have a port from 1 to 65535'
}

/** Stands for the missing host of `postgres://user:password@/database?host=/folder/of/the/socket`, which URL refuses. */
const NO_HOST = 'no-host'

const withHost = (text: string): string => text.replace('@/', `@${NO_HOST}/`)

/** Reads an address of Postgres that has the format `postgres-url`. */
export const parsePostgresUrl = (text: string): URL => new URL(withHost(text))

function findTlsFault(parameters: URLSearchParams): string | undefined {
  const misspelt = [...parameters.keys()].find(
    (name) => TLS_NAMES.includes(name.toLowerCase()) && !TLS_NAMES.includes(name),
  )
  if (misspelt !== undefined) return 'has ssl parameters in capitals, which are ignored: write them in lower case'
  const modes = parameters.getAll('sslmode')
  if (!modes.every((mode) => SSL_MODES.includes(mode)))
    return `has an unknown sslmode: it must be ${SSL_MODES.join(', ')}`
  if (!parameters.getAll('ssl').every((value) => SSL_VALUES.includes(value)))
    return `has an unknown ssl: it must be ${SSL_VALUES.join(', ')}; sslmode says more`
  if (!parameters.getAll('sslnegotiation').every((value) => SSL_NEGOTIATIONS.includes(value)))
    return `has an unknown sslnegotiation: it must be ${SSL_NEGOTIATIONS.join(', ')}`
  const isCompatible = parameters.get('uselibpqcompat') === 'true'
  if (isCompatible && modes.includes('verify-ca') && !parameters.get('sslrootcert'))
    return 'needs sslrootcert for sslmode=verify-ca'
  return undefined
}

function findFileFault(parameters: URLSearchParams): string | undefined {
  for (const name of SSL_FILES) {
    const file = parameters.get(name)
    if (!file) continue
    try {
      readFileSync(file)
    } catch (error) {
      return `names a file as ${name} that cannot be read (${(error as NodeJS.ErrnoException).code})`
    }
  }
  return undefined
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function findHttpUrlFault(text: string): string | undefined {
  if (!/^https?:\/\/[^/]/i.test(text)) return 'must be a URL that begins with http:// or https://'
  if (!URL.canParse(text)) return 'is not a valid URL: the host or the port is wrong'
  const { search, hash } = new URL(text)
  return search || hash ? 'must be a URL without ? and #' : undefined
}
