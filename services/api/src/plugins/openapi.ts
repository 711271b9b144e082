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
const INTRODUCTION = `Credits and debits of wallets. Each one is idempotent by its \`trans_id\` and published as an event exactly once.

- **Money** is integer kobo. A fraction is refused as it is written: \`0.99999999999999999999\` is not 1. \`1.0\` and \`1e2\` are the integers 1 and 100.
- **Bodies** are \`application/json\` in UTF-8, uncompressed, at most 64 KiB. Unknown fields are refused, and fields
  that are there twice.
- **Errors** are problem details (RFC 9457) with a stable \`code\`. Every answer has an \`X-Request-Id\`: quote it when you ask for help.
- **Retries**: a request without an answer, or with a 503, may be sent again with the same \`trans_id\`, or the same
  \`Idempotency-Key\` for an export: it takes effect once.
- **Limits** are generous. The \`RateLimit\` header says what is left; a request beyond a limit is answered 429, with \`Retry-After\`.
- **HEAD** works where GET does. Other methods that a path does not support are answered 405, with \`Allow\`.`

/** These are answered before requests are counted, because the request could not be read. */
const UNCOUNTED = new Set(['408', '431'])

const limitHeaders = {
  RateLimit: {
    description: 'For each limit: the requests left (r) in the current window, and the seconds until it ends (t).',
    schema: { type: 'string', examples: ['"address";r=49999;t=10, "user";r=19999;t=10'] },
  },
  'RateLimit-Policy': {
    description:
      'For each limit that applies to this request: the number of requests (q) per window, and its seconds (w).',
    schema: { type: 'string', examples: ['"address";q=50000;w=10, "user";q=20000;w=10'] },
  },
} as const

/** Makes an OpenAPI document of the routes registered after it, and serves it with a page to try the API. */
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
          { name: 'wallet', description: 'Your details and your balance.' },
          { name: 'transactions', description: 'Credits and debits.' },
          {
            name: 'exports',
            description: 'Your history as an Excel file; docs/exports.md describes its sheets and columns.',
          },
        ],
        components: {
          headers: limitHeaders,
          securitySchemes: {
            access_token: {
              ...{ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
              description:
                '`access_token.token` of sign-up, log-in or refresh. It is valid for minutes: see its `expires_at`.',
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

/** The swagger plugin marks every body as required. Marks bodies without a required member as optional. */
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

/** Adds the rate limit headers to every answer to a counted request. */
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
