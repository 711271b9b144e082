import Type, { type Static, type TSchema } from 'typebox'

/** The control characters of Unicode, and halves of surrogate pairs, which UTF-8 cannot carry. */
const NO_CONTROLS = '[^\\u0000-\\u001f\\u007f-\\u009f\\ud800-\\udfff]'
export const LINE_OF_TEXT = `^${NO_CONTROLS}*$`
/** Not of white space alone. */
export const NAME = `^(?=.*\\S)${NO_CONTROLS}*$`

/** A schema that the document names once and everybody else refers to. */
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

/** The document's own way to say "or null", which the serializer understands too. */
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
  description: 'How many to return at most.',
})

export const Cursor = Type.String({
  minLength: 1,
  maxLength: 512,
  pattern: '^[A-Za-z0-9_-]+$',
  description: 'Where a page begins: `pagination.next_cursor` of the page before it. It carries the filters with it.',
})

export const Pagination = Type.Object({
  next_cursor: nullable(Type.String({ description: 'Begins the next page; null on the last one.' })),
  limit: Type.Integer({ description: 'How many there are on a page at most.' }),
})
