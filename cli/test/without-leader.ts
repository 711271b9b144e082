const LEADER_NOT_AVAILABLE = 5

/** An answer to a Metadata request, as kafkajs asks for it, in which this partition of the topic has no leader. */
export function withoutLeader(answer: Buffer, topic: string, partition: number): Buffer {
  // Newer versions of the request write the length of a name in another way, and are left alone.
  const name = Buffer.from(`\0\0${topic}`)
  name.writeInt16BE(topic.length)
  const found = answer.indexOf(name)
  if (found < 0) return answer
  const changed = Buffer.from(answer)
  // After the name: whether it is internal, and the partitions, each with an error, an index, a leader and three lists.
  let at = found + name.length + 1
  const count = changed.readInt32BE(at)
  at += 4
  for (let left = count; left > 0; left -= 1) {
    if (changed.readInt32BE(at + 2) === partition) {
      changed.writeInt16BE(LEADER_NOT_AVAILABLE, at)
      changed.writeInt32BE(-1, at + 6)
    }
    at += 10
    for (let list = 0; list < 3; list += 1) at += 4 + 4 * changed.readInt32BE(at)
  }
  return changed
}
