import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeLz4, decodeSnappy } from '../src/decode-blocks.ts'

const TEXT = `abcabcabcabcabcabcabcabcabcabcabc, and so on: ${'x'.repeat(300)} end`

test.for([
  ["LZ4 of Kafka's Java client", 'BCJNGGBAgiAAAAA/YWJjAwAL7ywgYW5kIHNvIG9uOiB4AQD/GFB4IGVuZAAAAAA=', decodeLz4],
  [
    'LZ4 of the lz4 program: linked blocks, a size and a checksum',
    'BCJNGGxAXgEAAAAAAAAMIAAAAD9hYmMDAAvvLCBhbmQgc28gb246IHgBAP8YUHggZW5kAAAAAPDkPYc=',
    decodeLz4,
  ],
  [
    "Snappy of Kafka's Java client, in xerial's frame",
    'glNOQVBQWQAAAAABAAAAAQAAACzeAghhYmN2AwA0LCBhbmQgc28gb246IHj+AQD+AQD+AQD+AQCqAQAMIGVuZA==',
    decodeSnappy,
  ],
  [
    'Snappy without a frame, as librdkafka writes it',
    '3gIIYWJjdgMANCwgYW5kIHNvIG9uOiB4/gEA/gEA/gEA/gEAqgEADCBlbmQ=',
    decodeSnappy,
  ],
] as const)('%s is decoded, and damaged data is an error or other data', ([, base64, decode]) => {
  const data = Buffer.from(base64, 'base64')
  expect(decode(data).toString()).toBe(TEXT)
  fc.assert(
    fc.property(fc.nat(data.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
      const damaged = Buffer.from(data)
      damaged.writeUInt8((damaged[at] as number) ^ bits, at)
      for (const broken of [damaged, data.subarray(0, at)]) {
        try {
          decode(broken)
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }
    }),
  )
})

test('two LZ4 frames, and one to be skipped between them, are one text', () => {
  const frame = Buffer.from('BCJNGGBAgiAAAAA/YWJjAwAL7ywgYW5kIHNvIG9uOiB4AQD/GFB4IGVuZAAAAAA=', 'base64')
  const skipped = Buffer.from('502a4d1803000000000102', 'hex')
  expect(decodeLz4(Buffer.concat([frame, skipped, frame])).toString()).toBe(TEXT + TEXT)
})

test('a block that is stored as it is, and a literal of more than 60 bytes', () => {
  const text = Buffer.from(Array.from({ length: 300 }, (_, index) => index % 251))
  const header = Buffer.from('04224d186040822c010080', 'hex')
  expect(decodeLz4(Buffer.concat([header, text, Buffer.alloc(4)]))).toEqual(text)
  expect(decodeSnappy(Buffer.concat([Buffer.from([0xac, 0x02, 61 << 2, 0x2b, 0x01]), text]))).toEqual(text)
})
