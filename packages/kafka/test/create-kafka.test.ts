import kafkajs from 'kafkajs'
import { expect, test } from 'vitest'
import '../src/create-kafka.ts'

const TEXT = `abcabcabcabcabcabcabcabcabcabcabc, and so on: ${'x'.repeat(300)} end`
const { CompressionCodecs, CompressionTypes } = kafkajs
const codecs = CompressionCodecs as Record<number, () => { decompress(data: Buffer): Promise<Buffer> }>

test.for([
  [
    "LZ4 of Kafka's Java client",
    'BCJNGGBAgiAAAAA/YWJjAwAL7ywgYW5kIHNvIG9uOiB4AQD/GFB4IGVuZAAAAAA=',
    CompressionTypes.LZ4,
  ],
  [
    'LZ4 of the lz4 program: linked blocks, a size and a checksum',
    'BCJNGGxAXgEAAAAAAAAMIAAAAD9hYmMDAAvvLCBhbmQgc28gb246IHgBAP8YUHggZW5kAAAAAPDkPYc=',
    CompressionTypes.LZ4,
  ],
  [
    "Snappy of Kafka's Java client, in xerial's frame",
    'glNOQVBQWQAAAAABAAAAAQAAACzeAghhYmN2AwA0LCBhbmQgc28gb246IHj+AQD+AQD+AQD+AQCqAQAMIGVuZA==',
    CompressionTypes.Snappy,
  ],
  [
    'Snappy without a frame, as librdkafka writes it',
    '3gIIYWJjdgMANCwgYW5kIHNvIG9uOiB4/gEA/gEA/gEA/gEAqgEADCBlbmQ=',
    CompressionTypes.Snappy,
  ],
] as const)('%s is decompressed, and data that is cut off is an error', async ([, base64, type]) => {
  const decompress = (data: Buffer) => codecs[type]?.().decompress(data) ?? Promise.reject(new Error('no such codec'))
  const data = Buffer.from(base64, 'base64')
  expect((await decompress(data)).toString()).toBe(TEXT)
  await expect(decompress(data.subarray(0, data.length - 12))).rejects.toThrow()
})
