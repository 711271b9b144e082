import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import kafkajs, { type Kafka, type KafkaConfig } from 'kafkajs'
import { decodeLz4, decodeSnappy } from './decode-blocks.ts'

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>
  decompress(data: Buffer): Promise<Buffer>
}

const readOnly = (name: string, decode: (data: Buffer) => Buffer): Codec => ({
  compress: () => Promise.reject(new Error(`${name} is only decompressed here`)),
  decompress: async (data) => decode(data),
})

const zstd: Codec = {
  compress: ({ buffer }) => promisify(zstdCompress)(buffer),
  decompress: promisify(zstdDecompress) as Codec['decompress'],
}

// kafkajs itself has gzip only. A topic's or broker's compression.type, another producer or a mirror may have
// compressed what is read here by any of the four, whatever the setting is now. kafkajs has one table for a process.
const { CompressionCodecs, CompressionTypes } = kafkajs
Object.assign(CompressionCodecs, {
  [CompressionTypes.Snappy]: () => readOnly('snappy', decodeSnappy),
  [CompressionTypes.LZ4]: () => readOnly('lz4', decodeLz4),
  [CompressionTypes.ZSTD]: () => zstd,
})

/** Makes a client of kafkajs that reads each compression codec of Kafka. All clients are made here. */
export function createKafka(config: KafkaConfig): Kafka {
  return new kafkajs.Kafka(config)
}
