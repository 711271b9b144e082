import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from '@streamledger/testkit'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

/** The body of an answer, untyped: each test checks what is in it. */
// biome-ignore lint/suspicious/noExplicitAny: a schema here would hide what the API really sends
export type Json = any

export interface Answer {
  status: number
  headers: Headers
  text: string
  json: Json
}

const document: Json = JSON.parse(readFileSync(join(import.meta.dirname, '../../../docs/openapi.json'), 'utf8'))
const DOCUMENT_ID = 'openapi'

const ajv = new Ajv2020({ strict: false, allErrors: true })
formats.default(ajv)
ajv.addSchema({ $id: DOCUMENT_ID, components: document.components })

const templates = Object.keys(document.paths).map((template) => ({
  methods: document.paths[template] as Json,
  pattern: new RegExp(`^${template.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`),
}))

/** Checks the status, type, headers and body of an answer against the OpenAPI document. */
export function expectDocumented(method: string, path: string, answer: Answer): void {
  const operation = operationOf(method, path)
  if (!operation) return
  const { status, headers, text, json } = answer
  const name = `${method} ${path} ${status}`
  const response = operation.responses[status]
  if (!response) throw new Error(`the OpenAPI document has no ${name}: ${text.slice(0, 500)}`)

  for (const [header, named] of Object.entries<Json>(response.headers ?? {})) {
    const { schema } = named.$ref ? document.components.headers[named.$ref.split('/').at(-1)] : named
    const value = headers.get(header)
    if (value !== null) expectValid(`${name}, ${header}`, schema, schema.type === 'integer' ? Number(value) : value)
  }
  if (method === 'HEAD') return
  const { schema } = response.content?.[mediaTypeOf(answer)] ?? {}
  if (!schema) expect({ name, text, type: mediaTypeOf(answer) }).toEqual({ name, text: '', type: '' })
  else if (json !== undefined) expectValid(name, schema, json)
}

/** The documented path of a URL. An exact match comes first: "/transactions/export" is not a transaction. */
function operationOf(method: string, path: string): Json {
  const [plain = ''] = path.split('?', 1)
  const methods = document.paths[plain] ?? templates.find(({ pattern }) => pattern.test(plain))?.methods
  return methods?.[method === 'HEAD' ? 'get' : method.toLowerCase()]
}

const mediaTypeOf = ({ headers }: Answer): string => headers.get('content-type')?.split(';', 1)[0] ?? ''

const validators = new Map<string, ReturnType<typeof ajv.compile>>()

function expectValid(name: string, schema: Json, value: unknown): void {
  const text = JSON.stringify(schema).replaceAll('"#/components/', `"${DOCUMENT_ID}#/components/`)
  const validate = validators.get(text) ?? ajv.compile(JSON.parse(text))
  validators.set(text, validate)
  if (!validate(value)) throw new Error(`${name} is not as documented: ${ajv.errorsText(validate.errors)}`)
}
