// Decoders for the two codecs of Kafka that Node lacks. Both formats are a list of literals and of copies of earlier
// output. Sources: "LZ4 Frame Format" 1.6.4 and "LZ4 Block Format", "Snappy compressed format description", and the
// framing of xerial's snappy-java, which Kafka's Java client uses around Snappy. Checksums are not compared: like
// kafkajs, which does not compare those of record batches, this relies on TCP and on the broker.

const LZ4_MAGIC = 0x184d2204
/** A frame that decoders skip has one of 16 numbers, which differ in the last four bits. */
const LZ4_SKIPPED = 0x184d2a50
const LZ4_HAS_DICTIONARY = 0x01
const LZ4_HAS_CONTENT_CHECKSUM = 0x04
const LZ4_HAS_CONTENT_SIZE = 0x08
const LZ4_HAS_BLOCK_CHECKSUM = 0x10
/** The bit of a block's size that says that the block is stored as it is. */
const LZ4_IS_STORED = 0x80000000
const LZ4_MATCH_BYTES_MIN = 4

const SNAPPY_SHORT_COPY_BYTES_MIN = 4
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
/** The magic, and two versions. */
const XERIAL_HEADER_BYTES = 16

const OUTPUT_BYTES_FIRST = 64 * 1024

/** Output of a decoder, which grows as it is written. */
class Output {
  #buffer: Buffer
  #end = 0

  constructor(bytes: number) {
    this.#buffer = Buffer.allocUnsafe(bytes)
  }

  append(source: Buffer, start: number, length: number): void {
    if (start + length > source.length) throw new RangeError('the compressed data ends too early')
    this.#reserve(length)
    source.copy(this.#buffer, this.#end, start, start + length)
    this.#end += length
  }

  /** Appends bytes from `distance` before the end. They may overlap what is appended, which then repeats. */
  repeat(distance: number, length: number): void {
    if (distance === 0 || distance > this.#end) throw new RangeError('the compressed data refers to bytes before it')
    this.#reserve(length)
    for (let left = length; left > 0; ) {
      const copied = Math.min(distance, left)
      this.#buffer.copyWithin(this.#end, this.#end - distance, this.#end - distance + copied)
      this.#end += copied
      left -= copied
    }
  }

  get length(): number {
    return this.#end
  }

  finish(): Buffer {
    return this.#buffer.subarray(0, this.#end)
  }

  #reserve(bytes: number): void {
    const needed = this.#end + bytes
    if (needed <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length))
    this.#buffer.copy(larger, 0, 0, this.#end)
    this.#buffer = larger
  }
}

/** Decodes LZ4 frames. @throws RangeError if the data is not valid. */
export function decodeLz4(data: Buffer): Buffer {
  const output = new Output(Math.max(OUTPUT_BYTES_FIRST, 4 * data.length))
  for (let at = 0; at < data.length; ) {
    const magic = data.readUInt32LE(at)
    if (magic === LZ4_MAGIC) at = decodeLz4Frame(data, at + 4, output)
    else if ((magic & ~0xf) >>> 0 === LZ4_SKIPPED) at += 8 + data.readUInt32LE(at + 4)
    else throw new RangeError('the compressed data is not an LZ4 frame')
  }
  return output.finish()
}

/** Returns the offset after the frame. Matches may reach into earlier blocks of it. */
function decodeLz4Frame(data: Buffer, start: number, output: Output): number {
  const flags = data.readUInt8(start)
  if (flags & LZ4_HAS_DICTIONARY) throw new RangeError('the LZ4 frame needs a dictionary, which Kafka never uses')
  // Flags, the largest size of a block, the size of the content, a checksum of this header.
  let at = start + 2 + (flags & LZ4_HAS_CONTENT_SIZE ? 8 : 0) + 1
  for (;;) {
    const size = data.readUInt32LE(at)
    at += 4
    if (size === 0) return at + (flags & LZ4_HAS_CONTENT_CHECKSUM ? 4 : 0)
    const length = size & ~LZ4_IS_STORED
    if (size >= LZ4_IS_STORED) output.append(data, at, length)
    else decodeLz4Block(data, at, at + length, output)
    at += length + (flags & LZ4_HAS_BLOCK_CHECKSUM ? 4 : 0)
  }
}

function decodeLz4Block(data: Buffer, start: number, end: number, output: Output): void {
  let at = start
  /** A length that fills its four bits goes on in the next bytes, up to one that is not 255. */
  const readLength = (nibble: number): number => {
    let length = nibble
    if (nibble < 15) return length
    for (;;) {
      const byte = data.readUInt8(at++)
      length += byte
      if (byte < 255) return length
    }
  }
  while (at < end) {
    const token = data.readUInt8(at++)
    const literals = readLength(token >>> 4)
    output.append(data, at, literals)
    at += literals
    if (at >= end) break // the last sequence has literals only
    const distance = data.readUInt16LE(at)
    at += 2
    output.repeat(distance, readLength(token & 15) + LZ4_MATCH_BYTES_MIN)
  }
  if (at !== end) throw new RangeError('an LZ4 block is longer than its size')
}

/** Decodes Snappy, with xerial's framing (Kafka's Java client) or without (librdkafka). @throws RangeError */
export function decodeSnappy(data: Buffer): Buffer {
  const output = new Output(Math.max(OUTPUT_BYTES_FIRST, 4 * data.length))
  if (!data.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) {
    decodeSnappyBlock(data, output)
    return output.finish()
  }
  for (let at = XERIAL_HEADER_BYTES; at < data.length; ) {
    const end = at + 4 + data.readUInt32BE(at)
    if (end > data.length) throw new RangeError('the compressed data ends too early')
    decodeSnappyBlock(data.subarray(at + 4, end), output)
    at = end
  }
  return output.finish()
}

function decodeSnappyBlock(data: Buffer, output: Output): void {
  let at = 0
  const length = output.length + readSnappyLength()
  while (at < data.length) {
    const tag = data.readUInt8(at++)
    const upper = tag >>> 2
    if ((tag & 3) === 0) {
      // A length of 60 or more is in the next one to four bytes.
      const bytes = Math.max(0, upper - 59)
      const literals = 1 + (bytes > 0 ? data.readUIntLE(at, bytes) : upper)
      at += bytes
      output.append(data, at, literals)
      at += literals
    } else if ((tag & 3) === 1) {
      output.repeat(((tag >>> 5) << 8) | data.readUInt8(at++), SNAPPY_SHORT_COPY_BYTES_MIN + (upper & 7))
    } else {
      const bytes = (tag & 3) === 2 ? 2 : 4
      output.repeat(data.readUIntLE(at, bytes), 1 + upper)
      at += bytes
    }
  }
  if (output.length !== length) throw new RangeError('a Snappy block does not have the size that it says')

  function readSnappyLength(): number {
    let value = 0
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      const byte = data.readUInt8(at++)
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw new RangeError('a Snappy block has no size')
  }
}
