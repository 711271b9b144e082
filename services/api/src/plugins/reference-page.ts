import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { fastify } from 'fastify'
import fp from 'fastify-plugin'

export interface ReferencePageOptions {
  /** Path of the OpenAPI document. */
  document: string
}

export const REFERENCE = '/docs'
const PATHS = [`${REFERENCE}/`, `${REFERENCE}/js/scalar.js`]
const hidden = { schema: { hide: true } }

/** The answer for a path, made once. */
interface Asset {
  type: string
  etag: string
  plain: Buffer
  gzipped: Buffer
  policy: string | undefined
}

/** Serves a page to read the document and to try the API. */
export const referencePage = fp<ReferencePageOptions>(
  async (app, { document }) => {
    let assets: Promise<Map<string, Asset>> | undefined
    app.get(REFERENCE, hidden, async (_request, reply) => reply.redirect(`${REFERENCE}/`, 308))
    for (const path of PATHS) {
      app.get(path, hidden, async (request, reply) => {
        assets ??= makeAssets(document)
        const asset = (await assets).get(path)
        if (!asset) return reply.callNotFound()
        reply.headers({ etag: asset.etag, 'cache-control': 'no-cache', vary: 'accept-encoding' })
        if (asset.policy) reply.header('content-security-policy', asset.policy)
        if (request.headers['if-none-match'] === asset.etag) return reply.code(304).send()
        reply.type(asset.type)
        const takesGzip = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))
        if (takesGzip) reply.header('content-encoding', 'gzip')
        return reply.send(takesGzip ? asset.gzipped : asset.plain)
      })
    }
  },
  { name: 'reference-page' },
)

/**
 * Renders the page with a temporary app, when the page is first opened: its script is 5 MB, which a service that never
 * serves the page need not hold in memory. Everything on the page comes from this service, so it works without internet
 * access and no third party learns who reads it.
 */
async function makeAssets(document: string): Promise<Map<string, Asset>> {
  const { default: apiReference } = await import('@scalar/fastify-api-reference')
  const page = fastify()
  await page.register(apiReference, {
    routePrefix: REFERENCE,
    configuration: {
      url: document,
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
  const assets = new Map<string, Asset>()
  for (const path of PATHS) {
    const { headers, payload } = await page.inject(path)
    const plain = Buffer.from(payload)
    assets.set(path, {
      type: String(headers['content-type']),
      etag: `"${createHash('sha256').update(plain).digest('base64url')}"`,
      plain,
      gzipped: await promisify(gzip)(plain),
      policy: path.endsWith('/') ? policyOf(payload) : undefined,
    })
  }
  await page.close()
  return assets
}

/**
 * Allows scripts of this origin, and the page's inline scripts by their hashes. Styles are inline, as the scripts add
 * them.
 */
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
