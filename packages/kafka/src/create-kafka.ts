import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import kafkajs, { type Kafka, type KafkaConfig } from 'kafkajs'

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>
  decompress(data: Buffer): Promise<Buffer>
}

const readOnly = (name: string, decompress: Codec['decompress']): Codec => ({
  compress: () => Promise.reject(new Error(`${name} is only decompressed here`)),
  decompress,
})

const zstd: Codec = {
  compress: ({ buffer }) => promisify(zstdCompress)(buffer),
  decompress: promisify(zstdDecompress) as Codec['decompress'],
}

// Loaded on first use: most topics need neither.
const lz4 = readOnly('lz4', async (data) => (await import('lz4-napi')).decompressFrame(data))
const snappy = readOnly('snappy', async (data) => {
  const { uncompress } = await import('snappy')
  const blocks = await Promise.all(splitXerial(data).map((block) => uncompress(block, { asBuffer: true })))
  return Buffer.concat(blocks as Buffer[])
})

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
/** The magic, and two versions. */
const XERIAL_HEADER_BYTES = 16

/**
 * Returns the blocks of Snappy. Kafka's Java client frames them as xerial's snappy-java does: a header, and each block
 * behind its size. librdkafka writes one block without a frame.
 */
function splitXerial(data: Buffer): Buffer[] {
  if (!data.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return [data]
  const blocks: Buffer[] = []
  for (let at = XERIAL_HEADER_BYTES; at < data.length; ) {
    const end = at + 4 + data.readUInt32BE(at)
    if (end > data.length) throw new RangeError('the compressed data ends too early')
    blocks.push(data.subarray(at + 4, end))
    at = end
  }
  return blocks
}

// kafkajs itself has gzip only. A topic's or broker's compression.type, another producer or a mirror may have
// compressed what is read here by any of the four, whatever the setting is now. kafkajs has one table for a process.
const { CompressionCodecs, CompressionTypes } = kafkajs
Object.assign(CompressionCodecs, {
  [CompressionTypes.Snappy]: () => snappy,
  [CompressionTypes.LZ4]: () => lz4,
  [CompressionTypes.ZSTD]: () => zstd,
})

/** Makes a client of kafkajs that reads each compression codec of Kafka. All clients are made here. */
export function createKafka(config: KafkaConfig): Kafka {
  return new kafkajs.Kafka(config)
}
