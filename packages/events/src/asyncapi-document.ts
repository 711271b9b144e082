import Type from 'typebox'
import {
  type PostedTransaction,
  TRANSACTIONS_TOPIC,
  TransactionPosted,
  transactionPosted,
} from './transaction-posted.ts'

const SOURCE = 'urn:streamledger:0198f6f0-5b1e-7c3a-9a55-2f1d6c0e8b47'
const PARTITIONS = 12
const BINDING_VERSION = '0.5.0'

/** What consumers need to know beyond the schemas; docs/consumers.md has the details. */
const DESCRIPTION = `Every transaction of the ledger, once, in order per user.

**Set \`isolation.level=read_committed\`.** The Java client's default is \`read_uncommitted\`. With it you would also read
records of aborted transactions, whose events are published again later.

- The key is the user's id, so all events of a user are in one partition, in order.
- \`sequence\` rises by one with each event of a wallet: compare it with your last one.
- \`ce_source\` and \`ce_id\` together identify an event.
- New fields in the value and new headers may be added; ignore those you do not know. A change in the meaning of a field
  comes with a new \`ce_type\`.

docs/consumers.md has the rest: exactly-once processing, retention, growing partitions, restores, how to test.`

/** The headers of a record: CloudEvents 1.0 in Kafka's binary mode, and some more. Each is UTF-8 text. */
const Headers = Type.Object({
  ce_specversion: Type.Literal('1.0'),
  ce_id: Type.String({ pattern: '^[0-9]+$', description: 'The transaction_id. Unique within ce_source.' }),
  ce_type: Type.Literal('streamledger.transaction.posted.v1'),
  ce_source: Type.String({
    pattern: '^urn:streamledger:',
    description: 'The ledger that posted it. It changes after a restore, because ids may then be used again.',
  }),
  ce_time: Type.String({ format: 'date-time', description: 'When it was posted, as timestamp.' }),
  'content-type': Type.Literal('application/json'),
  traceparent: Type.Optional(
    Type.String({
      description:
        'W3C trace context of the posting: the span of StreamLedger if it traces; otherwise the value that the caller sent, if any.',
    }),
  ),
  tracestate: Type.Optional(
    Type.String({
      maxLength: 512,
      description: 'W3C trace context of other systems, as the caller sent it.',
    }),
  ),
  streamledger_batch: Type.Optional(
    Type.String({
      format: 'uuid',
      description: 'Only on the first record of a batch: a mark of the relay, without meaning for consumers.',
    }),
  ),
})

const credit: PostedTransaction = {
  ...{ id: 4711, user_id: 7, wallet_id: 8, sequence: 1, entry: 'credit', amount: 500_000, balance: 500_000 },
  ...{ currency: 'NGN', trans_id: 'salary-1', created_at: new Date('2026-03-04T05:06:07.089Z') },
}
const debit: PostedTransaction = {
  ...{ id: 4715, user_id: 7, wallet_id: 8, sequence: 2, entry: 'debit', amount: 120_000, balance: 380_000 },
  ...{ currency: 'NGN', trans_id: 'order-1', created_at: new Date('2026-03-04T05:07:31.402Z') },
}

/** Examples are made by the code itself, so they cannot be wrong. */
function exampleOf(name: string, summary: string, transaction: PostedTransaction, others: object = {}) {
  const { payload, headers } = transactionPosted(transaction, { source: SOURCE, partitions: PARTITIONS })
  return { name, summary, headers: { ...JSON.parse(headers), ...others }, payload: JSON.parse(payload) }
}

/** The event stream as an AsyncAPI 3.0 document, for docs/asyncapi.yaml. */
export function asyncapiDocument() {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'StreamLedger events',
      version: '1.0.0',
      description: DESCRIPTION,
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    servers: {
      local: { host: '127.0.0.1:19092', protocol: 'kafka', description: 'The broker that `npm start` runs.' },
    },
    channels: {
      transactions: {
        address: TRANSACTIONS_TOPIC,
        description: 'The topic name is KAFKA_TOPIC. Only the relay writes to it, in Kafka transactions.',
        messages: { transactionPosted: { $ref: '#/components/messages/transactionPosted' } },
        bindings: {
          kafka: {
            topic: TRANSACTIONS_TOPIC,
            partitions: PARTITIONS, // of a new topic, see TOPIC_PARTITIONS; it may grow
            topicConfiguration: { 'cleanup.policy': ['delete'], 'retention.ms': -1, 'retention.bytes': -1 },
            bindingVersion: BINDING_VERSION,
          },
        },
      },
    },
    operations: {
      publishTransactions: {
        action: 'send',
        channel: { $ref: '#/channels/transactions' },
        summary: 'StreamLedger publishes each posted transaction once.',
        messages: [{ $ref: '#/channels/transactions/messages/transactionPosted' }],
      },
    },
    components: { messages: { transactionPosted: messageOf() } },
  }
}

function messageOf() {
  return {
    name: 'streamledger.transaction.posted.v1',
    title: 'Transaction posted',
    summary: "A credit or debit of a user's wallet that was posted.",
    contentType: 'application/json',
    headers: Headers,
    payload: TransactionPosted,
    correlationId: { description: 'The trace of the event.', location: '$message.header#/traceparent' },
    bindings: {
      kafka: {
        key: { type: 'string', pattern: '^[0-9]+$', description: 'The user_id as decimal text, in UTF-8.' },
        bindingVersion: BINDING_VERSION,
      },
    },
    examples: [
      exampleOf('credit', 'The first record of a batch', credit, {
        streamledger_batch: '5f0c1c56-0f0e-4f7e-9d7b-0a3c8e1f2b64',
        traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      }),
      exampleOf('debit', 'A later one, without a trace', debit),
    ],
  }
}
