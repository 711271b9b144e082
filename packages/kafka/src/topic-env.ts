import Type from 'typebox'

/** Variables of a new topic: the relay and `streamledger topic create` read them, and make the same topic. */
export const topicEnv = {
  TOPIC_REPLICATION_FACTOR: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 10,
      examples: [3],
      description:
        'Copies of each partition of a new topic. Without it: 3, or one per broker if there are fewer than 3.',
    }),
  ),
  RELAY_BATCH_BYTES_MAX: Type.Integer({
    minimum: 16_384,
    maximum: 33_554_432,
    default: 1_048_576,
    description: "Most bytes of a batch's payloads and headers; the topic's max.message.bytes must be twice as large.",
  }),
}
