import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { describe, expect, test } from './api.ts'
import type { Json } from './client.ts'

/** Every object in a part of the document. */
function everythingUnder(value: unknown): Json[] {
  if (typeof value !== 'object' || value === null) return []
  const inside = Object.values(value).flatMap(everythingUnder)
  return Array.isArray(value) ? inside : [value, ...inside]
}

const ROOT = join(import.meta.dirname, '../../..')

describe('the OpenAPI document', () => {
  test('is served as it is committed, and printed without a database', async ({ api }) => {
    const served = (await api.anonymous.get('//openapi.json')).json
    const committed = JSON.parse(await readFile(join(ROOT, 'docs/openapi.json'), 'utf8'))
    expect(served).toEqual(committed)
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'services/api/src/openapi-document.ts')])
    expect(stdout).toBe(await readFile(join(ROOT, 'docs/openapi.json'), 'utf8'))
  })

  test('names every path, each with an id, a summary, and all that it may answer', async ({ api }) => {
    const { json } = await api.anonymous.get('//openapi.json')
    expect(json.openapi).toBe('3.1.0')
    const operations = Object.entries<Json>(json.paths).flatMap(([path, methods]) =>
      Object.entries<Json>(methods).map(([method, operation]) => ({
        name: `${method.toUpperCase()} ${path}`,
        operation,
      })),
    )
    expect(operations.map(({ name }) => name).sort()).toEqual([
      'DELETE /api/v1/transactions/exports/{export_id}',
      'GET /api/v1/transactions',
      'GET /api/v1/transactions/by-trans-id/{trans_id}',
      'GET /api/v1/transactions/exports',
      'GET /api/v1/transactions/exports/{export_id}',
      'GET /api/v1/transactions/exports/{export_id}/file',
      'GET /api/v1/transactions/outcome',
      'GET /api/v1/transactions/{transaction_id}',
      'GET /api/v1/wallet',
      'POST /api/v1/auth/login',
      'POST /api/v1/auth/logout',
      'POST /api/v1/auth/refresh',
      'POST /api/v1/auth/signup',
      'POST /api/v1/transactions',
      'POST /api/v1/transactions/export',
    ])
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length)
    for (const { name, operation } of operations) {
      const isPublic = name.includes('/auth/')
      expect(operation.security).toEqual(isPublic ? undefined : [{ access_token: [] }])
      const statuses = Object.keys(operation.responses)
      const mayHaveBody = !name.startsWith('GET')
      const always = [
        '400',
        '408',
        '429',
        '431',
        '500',
        '503',
        ...(isPublic ? [] : ['401']),
        ...(mayHaveBody ? ['413', '415'] : []),
      ]
      expect(statuses).toEqual(expect.arrayContaining(always))
      if (name.includes('{')) expect(statuses).toContain('404')
      for (const [status, { headers }] of Object.entries<Json>(operation.responses)) {
        const isCounted = status !== '408' && status !== '431'
        expect([name, status, headers && 'RateLimit' in headers]).toEqual([name, status, isCounted || undefined])
      }
      expect(operation.summary).not.toBe('')
      expect(JSON.stringify(operation)).not.toContain('Default Response')
    }
  })

  test('refers to nothing that is not in it', async ({ api }) => {
    const { text, json } = await api.anonymous.get('//openapi.json')
    const references = [...text.matchAll(/"\$ref":"#\/components\/(schemas|headers)\/([^"]+)"/g)]
    expect(references.length).toBeGreaterThan(20)
    for (const [, kind = '', name] of references) expect(Object.keys(json.components[kind])).toContain(name)
    expect(references.length).toBe(text.split('"$ref":').length - 1)
    expect(text).not.toContain('"$id"')
  })

  test('has no schema that says what JSON Schema does not know, and no example that its own schema refuses', async ({
    api,
  }) => {
    const { text } = await api.anonymous.get('//openapi.json')
    const { paths, components } = JSON.parse(text.replaceAll('#/components/schemas/', 'd#/$defs/'))
    const ajv = new Ajv2020({ strict: true, allowUnionTypes: true })
    formats.default(ajv)
    ajv.addFormat('binary', true)
    ajv.addSchema({ $id: 'd', $defs: components.schemas })
    for (const schema of Object.values<Json>(components.schemas)) {
      const validate = ajv.compile(schema)
      expect(schema.examples.length).toBeGreaterThan(0)
      for (const example of schema.examples) expect([example, validate(example)]).toEqual([example, true])
    }
    const schemas = everythingUnder(paths).flatMap(({ schema }) => (schema ? [schema] : []))
    expect(schemas.length).toBeGreaterThan(100)
    for (const schema of schemas) ajv.compile(schema)
  })

  test('says in words what everything is', async ({ api }) => {
    const { json } = await api.anonymous.get('//openapi.json')
    const isSilent = ({ description, $ref }: Json) => !description?.trim() && !$ref
    const properties = everythingUnder(json.components.schemas).flatMap((schema) =>
      Object.entries<Json>(schema.type === 'object' ? (schema.properties ?? {}) : {}),
    )
    expect(properties.length).toBeGreaterThan(40)
    const plain = ['data', 'pagination', 'access_token', 'refresh_token'] // objects whose members have descriptions
    const silent = properties.filter(([name, schema]) => isSilent(schema) && !plain.includes(name))
    expect(silent.map(([name]) => name)).toEqual([])

    const parts = everythingUnder(json.paths)
    const described = [
      ...parts.filter((part) => part.in),
      ...parts.flatMap(({ responses, headers }) => Object.values<Json>({ ...responses, ...headers })),
    ]
    expect(described.length).toBeGreaterThan(100)
    expect(described.filter(isSilent)).toEqual([])
    expect(isSilent(json.components.securitySchemes.access_token)).toBe(false)
  })

  test('is found from where the API is, too', async ({ api }) => {
    for (const path of ['/openapi.json', '/docs']) {
      const { status, headers } = await api.anonymous.get(path)
      expect([status, headers.get('location')]).toEqual([308, path])
    }
  })
})

describe('the reference page', () => {
  test('loads nothing from anywhere else, under a policy that its own scripts match', async ({ api }) => {
    const redirect = await api.anonymous.get('//docs')
    expect([redirect.status, redirect.headers.get('location')]).toEqual([308, '/docs/'])
    const { status, text, headers } = await api.anonymous.get('//docs/')
    expect(status).toBe(200)
    expect([...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url)).toEqual(['js/scalar.js'])
    expect(text).not.toMatch(/https?:\/\//)

    const [, inline = ''] = /<script type="text\/javascript">([\s\S]*?)<\/script>/.exec(text) ?? []
    expect(inline).toContain('/openapi.json')
    const policy = headers.get('content-security-policy')
    expect(policy).toContain(`'sha256-${createHash('sha256').update(inline).digest('base64')}'`)
    expect(/script-src ([^;]+)/.exec(policy ?? '')?.[1]).not.toContain('unsafe')
    const script = await api.anonymous.get('//docs/js/scalar.js')
    expect(script.status).toBe(200)
    expect(script.headers.get('content-type')).toMatch(/javascript/)
  })
})
