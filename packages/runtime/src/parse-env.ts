import { envSchema } from 'env-schema'
import type { Static, TObject } from 'typebox'

/**
 * Reads the variables of a schema and converts them to its types. An empty variable counts as not set.
 *
 * @throws Error that names each variable that is missing or invalid.
 */
export function parseEnv<Schema extends TObject>(schema: Schema, env: NodeJS.ProcessEnv): Static<Schema> {
  const named = Object.keys(schema.properties).filter((name) => env[name] !== undefined && env[name] !== '')
  const data = Object.fromEntries(named.map((name) => [name, env[name]]))
  try {
    return envSchema<Static<Schema>>({ schema, data, env: false })
  } catch (error) {
    const problems = (error as { errors?: AjvError[] }).errors ?? []
    if (problems.length === 0) throw error
    throw new Error(`configuration: ${problems.map(describe).join('; ')}`)
  }
}

interface AjvError {
  instancePath: string
  message?: string
  params: { missingProperty?: string }
}

/** Names the variable and the rule, never the value: it may be a secret. */
function describe({ instancePath, message, params }: AjvError): string {
  if (params.missingProperty) return `${params.missingProperty} is not set`
  return `${instancePath.slice(1)} ${message}`
}
