import { createHash } from 'node:crypto'
import swagger from '@fastify/swagger'
import { type FastifyInstance, fastify } from 'fastify'
import fp from 'fastify-plugin'

export interface OpenapiOptions {
  /** The path that the API is under. */
  base: string
}

const DOCUMENT = '/openapi.json'
const REFERENCE = '/docs'
const hidden = { schema: { hide: true } }

/** Collects the routes that are registered after it into an OpenAPI document, and serves it with a page to try it from. */
export const openapi = fp<OpenapiOptions>(
  async (app, { base }) => {
    await app.register(swagger, {
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'StreamLedger',
          version: '1.0.0',
          description:
            'Moves money in wallets: every credit and debit is idempotent by its trans_id, and tells the world once. ' +
            'Amounts are integer kobo. A fraction that a double cannot hold is rounded by JSON itself, before anybody ' +
            'can refuse it. Errors are problem details with a stable `code`.',
        },
        servers: [{ url: '/' }],
        tags: [
          { name: 'auth', description: 'Sign up, log in, stay logged in.' },
          { name: 'wallet', description: 'Who you are and what you have.' },
          { name: 'transactions', description: 'Credits and debits.' },
          { name: 'exports', description: 'Your history as an Excel file.' },
        ],
        components: {
          securitySchemes: { access_token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
        },
      },
      refResolver: {
        buildLocalReference: (schema, _baseUri, _fragment, index) => String(schema.$id ?? `def-${index}`),
      },
      transformObject: (documentObject) => {
        if ('swaggerObject' in documentObject) return documentObject.swaggerObject
        return optionalBodies(documentObject.openapiObject)
      },
    })
    let document: string | undefined
    app.get(DOCUMENT, hidden, async (_request, reply) => {
      document ??= JSON.stringify(app.swagger())
      return reply.type('application/json; charset=utf-8').send(document)
    })
    await serveReferencePage(app)
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

interface OpenapiParts {
  paths?: Record<string, { post?: { requestBody?: { required: boolean; content: Record<string, { schema: Body }> } } }>
  components: { schemas: Record<string, Body> }
}

interface Body {
  $ref?: string
  required?: string[]
}

/**
 * The page, in an app of its own that is built when somebody first asks for it: its script is 5 MB of source, which a
 * service whose page nobody opens need not hold. Everything on it comes from here: it works where there is no internet,
 * and tells nobody who reads it.
 */
async function buildReferencePage(): Promise<FastifyInstance> {
  const { default: apiReference } = await import('@scalar/fastify-api-reference')
  const page = fastify()
  await page.register(apiReference, {
    routePrefix: REFERENCE,
    configuration: {
      url: DOCUMENT,
      pageTitle: 'StreamLedger API',
      authentication: { preferredSecurityScheme: 'access_token' },
      withDefaultFonts: false,
      telemetry: false,
      showDeveloperTools: 'never',
      hideClientButton: true,
      agent: { disabled: true },
      mcp: { disabled: true },
    },
  })
  return page
}

async function serveReferencePage(app: FastifyInstance): Promise<void> {
  let page: Promise<FastifyInstance> | undefined
  app.get(REFERENCE, hidden, async (_request, reply) => reply.redirect(`${REFERENCE}/`, 308))
  for (const path of [`${REFERENCE}/`, `${REFERENCE}/js/scalar.js`]) {
    app.get(path, hidden, async (_request, reply) => {
      page ??= buildReferencePage()
      const { headers, payload } = await (await page).inject(path)
      reply.type(String(headers['content-type']))
      if (path.endsWith('/')) reply.header('content-security-policy', policyOf(payload))
      return reply.send(payload)
    })
  }
}

/** Scripts of this origin and the page's own inline ones, by their hashes; styles are written by the scripts. */
function policyOf(html: string): string {
  const inline = [...html.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/g)].map(([, text = '']) => text)
  const hashes = inline.map((text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`)
  return [
    "default-src 'none'",
    `script-src 'self' ${hashes.join(' ')}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}
