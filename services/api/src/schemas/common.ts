import Type, { type Static, type TSchema } from 'typebox'

/** No control characters of Unicode, and no unpaired surrogates, which UTF-8 cannot encode. */
const NO_CONTROLS = '[^\\u0000-\\u001f\\u007f-\\u009f\\ud800-\\udfff]'
export const LINE_OF_TEXT = `^${NO_CONTROLS}*$`
/** Must contain more than white space. */
export const NAME = `^(?=.*\\S)${NO_CONTROLS}*$`

/** A reference to a schema that the document defines once. */
export function ref<Schema extends TSchema>(schema: Schema) {
  const { $id } = schema as { $id?: string }
  if (!$id) throw new Error('only a schema with an $id can be referred to')
  return Type.Unsafe<Static<Schema>>({ $ref: `${$id}#` })
}

/** A response that refers to a schema, with its headers. */
export function answer<Schema extends TSchema>(
  schema: Schema,
  description: string,
  headers: Record<string, object> = {},
) {
  return Type.Unsafe<Static<Schema>>({ ...ref(schema), description, headers })
}

/** "Or null", in the form that both OpenAPI and the serializer understand. */
export function nullable<Schema extends TSchema>(schema: Schema) {
  const { type, enum: values, ...rest } = schema as { type?: string; enum?: unknown[] }
  return Type.Unsafe<Static<Schema> | null>({
    ...{ ...rest, type: [type, 'null'] },
    ...(values && { enum: [...values, null] }),
  })
}

export const Id = (what: string) => Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: what })

export const Kobo = (what: string, minimum = 0) =>
  Type.Integer({ minimum, maximum: Number.MAX_SAFE_INTEGER, description: `${what}, in kobo.` })

export const Timestamp = (what: string) => Type.String({ format: 'date-time', description: what })

export const Entry = (what: string) =>
  Type.Unsafe<'credit' | 'debit'>({ type: 'string', enum: ['credit', 'debit'], description: what })

export const PAGE_LIMIT = 50

export const Limit = Type.Integer({
  minimum: 1,
  maximum: 200,
  default: PAGE_LIMIT,
  description: 'Maximum number of items to return.',
})

export const Cursor = Type.String({
  minLength: 1,
  maxLength: 512,
  pattern: '^[A-Za-z0-9_-]+$',
  description: 'Where the page begins: `pagination.next_cursor` of the previous page. It contains the filters.',
})

export const Pagination = Type.Object({
  next_cursor: nullable(Type.String({ description: 'Cursor of the next page; null on the last page.' })),
  limit: Type.Integer({ description: 'Maximum number of items on a page.' }),
})
