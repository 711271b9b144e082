import { describe, expect, test } from 'vitest'
import { decodeMetadata, encodeMetadata, findDifference, pinnedOf } from '../src/kafka-identity.ts'

const int16 = (value: number): number[] => [value >> 8, value & 0xff]
const int32 = (value: number): number[] => [0, 0, ...int16(value)]
const text = (value: string): number[] => [value.length + 1, ...Buffer.from(value)]
const NULL = [0]
const TAG = [1, 7, 2, 0xaa, 0xbb]
const NO_TAGS = [0]
const ID = Array.from({ length: 16 }, (_, index) => 250 - index)

/** A Metadata response of version 12 about one topic, from a cluster of two brokers. */
function answer(error: number, { clusterId = 'the-cluster' } = {}): Buffer {
  const broker = (id: number, rack: number[]) => [...int32(id), ...text(`host-${id}`), ...int32(9092), ...rack, ...TAG]
  const brokers = [3, ...broker(1, NULL), ...broker(2, text('a'))]
  const topic = [2, ...int16(error), ...text('transactions'), ...ID, 0, 1, ...int32(0), ...NO_TAGS]
  const cluster = clusterId ? text(clusterId) : NULL
  return Buffer.from([...TAG, ...int32(0), ...brokers, ...cluster, ...int32(1), ...topic, ...NO_TAGS])
}

describe('which Kafka this is', () => {
  test('is in its metadata: the cluster and the topic, by the ids that its own tools print', () => {
    expect(decodeMetadata(answer(0))).toEqual({ clusterId: 'the-cluster', topicId: '-vn49_b19PPy8fDv7u3s6w' })
  })

  test('is known without the topic; what may not be described, and a cluster without an id, is an error', () => {
    expect(decodeMetadata(answer(3))).toEqual({ clusterId: 'the-cluster', topicId: undefined })
    expect(() => decodeMetadata(answer(29))).toThrow('Not authorized')
    expect(() => decodeMetadata(answer(0, { clusterId: '' }))).toThrow('does not say which cluster')
  })

  test('is asked by name, also by one whose length needs two bytes, and creates nothing', () => {
    const [none, name] = [Buffer.alloc(16), 'n'.repeat(200)]
    const expected = [NO_TAGS, [2], [...none], [201, 1], [...Buffer.from(name)], NO_TAGS, [0], [0], NO_TAGS]
    expect([...encodeMetadata(name)]).toEqual(expected.flat())
  })

  test('differs by the cluster first, then by the topic; nothing differs from what is not recorded', () => {
    const pinned = pinnedOf({ kafka_cluster_id: 'c', kafka_topic_id: 't' })
    expect(findDifference(pinned, { clusterId: 'c', topicId: 't' })).toBeUndefined()
    expect(findDifference(pinned, { clusterId: 'd', topicId: 't' })).toBe('cluster')
    expect(findDifference(pinned, { clusterId: 'd', topicId: undefined })).toBe('cluster')
    expect(findDifference(pinned, { clusterId: 'c', topicId: 'u' })).toBe('topic')
    expect(findDifference(pinned, { clusterId: 'c', topicId: undefined })).toBe('topic')
    expect(findDifference(pinnedOf({ kafka_cluster_id: null, kafka_topic_id: null }), { clusterId: 'c', topicId: 't' })).toBeUndefined() // biome-ignore format: one line
  })
})
