import swagger from '@fastify/swagger'
import fp from 'fastify-plugin'
import { REFERENCE, referencePage } from './reference-page.ts'

export interface OpenapiOptions {
  /** The path that the API is under. */
  base: string
}

const DOCUMENT = '/openapi.json'
const hidden = { schema: { hide: true } }

/** Markdown, for the top of the reference page. */
const INTRODUCTION = `Moves money in wallets: every credit and debit is idempotent by its \`trans_id\`, and tells the world once.

- **Money** is integer kobo. A fraction that a double cannot hold is rounded by JSON itself, before anybody can refuse it.
- **Bodies** are \`application/json\` in UTF-8, not packed, of 64 KiB at most. A field that is not known is refused.
- **Errors** are problem details (RFC 9457) with a stable \`code\`. Every answer has an \`X-Request-Id\`: quote it when you ask for help.
- **Again?** Whatever was not answered, or was answered 503, may be sent again with the same \`trans_id\`, or the same
  \`Idempotency-Key\` for an export: it takes effect once.
- **Limits** are generous. What is left of yours is in \`RateLimit\`; whoever has used one up is answered 429, with \`Retry-After\`.
- **HEAD** works where GET does. Any other method that a path does not have is answered 405, with \`Allow\`.`

/** What never became a request is answered before anybody counts. */
const UNCOUNTED = new Set(['408', '431'])

const limitHeaders = {
  RateLimit: {
    description: 'What is left of each limit (r), and for how many seconds (t).',
    schema: { type: 'string', examples: ['"address";r=49999;t=10, "user";r=19999;t=10'] },
  },
  'RateLimit-Policy': {
    description: 'Each limit that this request falls under: so many requests (q) in so many seconds (w).',
    schema: { type: 'string', examples: ['"address";q=50000;w=10, "user";q=20000;w=10'] },
  },
} as const

/** Collects the routes that are registered after it into an OpenAPI document, and serves it with a page to try it from. */
export const openapi = fp<OpenapiOptions>(
  async (app, { base }) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'StreamLedger',
          version: '1.0.0',
          description: INTRODUCTION,
        },
        servers: [{ url: '/' }],
        tags: [
          { name: 'auth', description: 'Sign up, log in, stay logged in.' },
          { name: 'wallet', description: 'Who you are and what you have.' },
          { name: 'transactions', description: 'Credits and debits.' },
          { name: 'exports', description: 'Your history as an Excel file.' },
        ],
        components: {
          headers: limitHeaders,
          securitySchemes: {
            access_token: {
              ...{ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
              description:
                '`access_token.token` of sign-up, log-in or refresh. It lasts for minutes: see its `expires_at`.',
            },
          },
        },
      },
      refResolver: {
        buildLocalReference: (schema, _baseUri, _fragment, index) => String(schema.$id ?? `def-${index}`),
      },
      transformObject: (documentObject) => {
        if ('swaggerObject' in documentObject) return documentObject.swaggerObject
        return limitedAnswers(optionalBodies(documentObject.openapiObject))
      },
    })
    let document: string | undefined
    app.get(DOCUMENT, hidden, async (_request, reply) => {
      document ??= JSON.stringify(app.swagger())
      return reply.type('application/json; charset=utf-8').send(document)
    })
    await app.register(referencePage, { document: DOCUMENT })
    for (const path of [DOCUMENT, REFERENCE]) {
      app.get(`${base}${path}`, hidden, async (_request, reply) => reply.redirect(path, 308))
    }
  },
  { name: 'openapi' },
)

/** The plugin marks every body as required; one that has no required member may be left out here. */
function optionalBodies<Document extends object>(document: Document): Document {
  const { paths = {}, components } = document as unknown as OpenapiParts
  for (const { post } of Object.values(paths)) {
    const schema = post?.requestBody?.content['application/json']?.schema
    const name = schema?.$ref?.split('/').at(-1)
    const required = name === undefined ? schema?.required : components.schemas[name]?.required
    if (post?.requestBody && !required?.length) post.requestBody.required = false
  }
  return document
}

/** Every answer to a request that was counted tells what is left, whatever else it says. */
function limitedAnswers<Document extends object>(document: Document): Document {
  const { paths = {} } = document as unknown as OpenapiParts
  const references = Object.fromEntries(
    Object.keys(limitHeaders).map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  )
  for (const { responses } of Object.values(paths).flatMap((methods) => Object.values(methods))) {
    for (const [status, response] of Object.entries(responses)) {
      if (!UNCOUNTED.has(status)) response.headers = { ...response.headers, ...references }
    }
  }
  return document
}

interface OpenapiParts {
  paths?: Record<string, Record<string, Operation> & { post?: Operation }>
  components: { schemas: Record<string, Body> }
}

interface Operation {
  requestBody?: { required: boolean; content: Record<string, { schema: Body }> }
  responses: Record<string, { headers?: Record<string, object> }>
}

interface Body {
  $ref?: string
  required?: string[]
}
