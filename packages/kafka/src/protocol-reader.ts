export type Reader = ReturnType<typeof createReader>

/** Reads Kafka's binary format, as far as it is used here: the versions of requests that have tags. */
export function createReader(buffer: Buffer, start: number) {
  let at = start
  const reader = {
    skip(bytes: number): void {
      at += bytes
    },
    int16(): number {
      at += 2
      return buffer.readInt16BE(at - 2)
    },
    bytes(length: number): Buffer {
      at += length
      return buffer.subarray(at - length, at)
    },
    varint(): number {
      let value = 0
      for (let shift = 0; ; shift += 7) {
        const byte = buffer.readUInt8(at++)
        value |= (byte & 0x7f) << shift
        if (byte < 0x80) return value
      }
    },
    /** Null is read as an empty text. */
    text(): string {
      const length = Math.max(0, reader.varint() - 1)
      at += length
      return buffer.toString('utf8', at - length, at)
    },
    skipTags(): void {
      for (let left = reader.varint(); left > 0; left -= 1) {
        reader.varint()
        reader.skip(reader.varint())
      }
    },
  }
  return reader
}
