import { envSchema } from 'env-schema'
import type { Static, TObject } from 'typebox'
import { ENV_FORMATS, type EnvFormat } from './env-formats.ts'

/**
 * Reads the variables of a schema and converts them to its types. A variable that is empty, or has only spaces, counts
 * as not set.
 *
 * @throws Error with one line that names each variable that is missing or invalid, its fault, and an example.
 */
export function parseEnv<Schema extends TObject>(schema: Schema, env: NodeJS.ProcessEnv): Static<Schema> {
  const named = Object.keys(schema.properties).filter((name) => env[name]?.trim())
  const data = Object.fromEntries(named.map((name) => [name, env[name]]))
  try {
    return envSchema<Static<Schema>>({ schema, data, env: false, ajv: ajv ?? { customOptions: addFormats } })
  } catch (error) {
    const problems = (error as { errors?: AjvError[] }).errors ?? []
    if (problems.length === 0) throw error
    throw new Error(`configuration: ${describeAll(schema.properties, problems, data).join('; ')}`)
  }
}

type AjvOption = NonNullable<NonNullable<Parameters<typeof envSchema>[0]>['ajv']>
type Ajv = Exclude<AjvOption, { customOptions: unknown }>

/** One for all calls: it compiles a schema once. */
let ajv: Ajv | undefined

function addFormats(fresh: Ajv): Ajv {
  for (const [name, findFault] of Object.entries(ENV_FORMATS)) {
    fresh.addFormat(name, (value) => findFault(value) === undefined)
  }
  ajv = fresh
  return fresh
}

interface AjvError {
  instancePath: string
  keyword: string
  message?: string
  params: { missingProperty?: string; format?: EnvFormat }
}

/** What is read here of the schema of a variable. */
interface Variable {
  anyOf?: { const?: string }[]
  default?: unknown
  examples?: readonly unknown[]
}

/** Names the variable and the rule, never the value: it may be a secret. */
function describeAll(
  variables: Readonly<Record<string, Variable>>,
  problems: readonly AjvError[],
  data: Readonly<Record<string, string | undefined>>,
): string[] {
  const faults = new Map<string, string[]>()
  for (const problem of problems) {
    const name = problem.params.missingProperty ?? problem.instancePath.slice(1)
    const fault = describe(problem, variables[name] ?? {}, data[name] ?? '')
    if (fault !== undefined) faults.set(name, [...(faults.get(name) ?? []), fault])
  }
  return [...faults].map(([name, list]) => {
    const { examples, default: value, anyOf } = variables[name] ?? {}
    return `${name} ${list.join(' and ')} (example: ${examples?.[0] ?? value ?? anyOf?.[0]?.const})`
  })
}

function describe({ keyword, message, params }: AjvError, { anyOf }: Variable, value: string): string | undefined {
  switch (keyword) {
    case 'required':
      return 'is not set'
    case 'format':
      return params.format && ENV_FORMATS[params.format](value)
    case 'const': // one of the choices of `anyOf`, which has an error of its own
      return undefined
    case 'anyOf':
      return `must be one of ${anyOf?.map((choice) => choice.const).join(', ')}`
    default:
      return message
  }
}
