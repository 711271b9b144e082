import type { FastifySchema } from 'fastify'
import fp from 'fastify-plugin'

/** The one accepted spelling of an integer. Everything else stays a string, which the schema refuses. */
const INTEGER = /^(0|[1-9]\d{0,15})$/

/**
 * Query strings and paths are text: converts parameters whose schema is an integer, before they are validated. Ajv's
 * own coercion, which is off, would also accept " 5", "5e1" and true.
 */
export const integerParameters = fp(
  async (app) => {
    app.addHook('preValidation', async (request) => {
      const { schema } = request.routeOptions
      readIntegers(schema?.params, request.params)
      readIntegers(schema?.querystring, request.query)
    })
  },
  { name: 'integer-parameters' },
)

function readIntegers(schema: FastifySchema['params'], values: unknown): void {
  const { properties } = (schema ?? {}) as { properties?: Record<string, { type?: unknown }> }
  if (!properties) return
  const parameters = values as Record<string, unknown>
  for (const [name, value] of Object.entries(parameters)) {
    if (typeof value !== 'string' || !Object.hasOwn(properties, name)) continue
    if (properties[name]?.type === 'integer' && INTEGER.test(value)) parameters[name] = Number(value)
  }
}
