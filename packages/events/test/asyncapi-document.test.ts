import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Parser } from '@asyncapi/parser'
import Type from 'typebox'
import { Value } from 'typebox/value'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { asyncapiDocument, TransactionPosted, transactionPosted } from '../src/index.ts'

const committed = readFileSync(resolve(import.meta.dirname, '../../../docs/asyncapi.yaml'), 'utf8')

/** The errors and warnings of the reference parser. */
async function complaintsAbout(text: string): Promise<string[]> {
  const { diagnostics } = await new Parser().parse(text)
  const grave = diagnostics.filter(({ severity }) => severity <= 1)
  return grave.map(({ path, message }) => `${path.join('.')}: ${message}`)
}

test('the reference parser understands docs/asyncapi.yaml and has nothing against it', async () => {
  const { document } = await new Parser().parse(committed)
  const [message] = document?.channels().get('transactions')?.messages().all() ?? []
  expect(message?.name()).toBe('streamledger.transaction.posted.v1')
  expect(message?.examples()).toHaveLength(2)
  expect(await complaintsAbout(committed)).toEqual([])
})

test('it notices a word that AsyncAPI does not have, and a reference that leads nowhere', async () => {
  expect((await complaintsAbout(committed.replace('action: send', 'action: publish'))).join()).toContain('action')
  const dangling = committed.replace('#/components/messages/transactionPosted', '#/components/messages/nobody')
  expect((await complaintsAbout(dangling)).join()).toContain('nobody')
})

test('an event, its headers and the examples fit what the document says, field by field', () => {
  const { headers, payload, examples } = parse(committed).components.messages.transactionPosted
  const event = transactionPosted(
    {
      ...{ id: 31, user_id: 7, wallet_id: 8, sequence: 2, entry: 'debit', amount: 150, balance: 850, currency: 'NGN' },
      ...{ trans_id: 'order "9"', created_at: new Date('2026-03-04T05:06:07.089Z') },
    },
    { source: 'urn:streamledger:x', partitions: 12, traceparent: '00-a-b-01', tracestate: 'vendor=1' },
  )
  expect(Value.Errors(Type.Unsafe(payload), JSON.parse(event.payload))).toEqual([])
  expect(Value.Errors(Type.Unsafe(headers), JSON.parse(event.headers))).toEqual([])
  // The parser does not check the examples against their schemas.
  expect(examples).toHaveLength(2)
  for (const example of examples) {
    expect(Value.Errors(Type.Unsafe(payload), example.payload)).toEqual([])
    expect(Value.Errors(Type.Unsafe(headers), example.headers)).toEqual([])
  }
  expect(Object.keys(payload.properties)).toEqual(Object.keys(TransactionPosted.properties))
  // The relay adds the batch; all others come from the event.
  const { streamledger_batch: _, ...ours } = headers.properties
  expect(Object.keys(ours).sort()).toEqual(Object.keys(JSON.parse(event.headers)).sort())
})

test('the committed file is what the code makes', () => {
  expect(parse(committed)).toEqual(JSON.parse(JSON.stringify(asyncapiDocument())))
})
