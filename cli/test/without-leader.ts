const LEADER_NOT_AVAILABLE = 5

/** An answer to a Metadata request, as kafkajs asks for it, in which this partition of the topic has no leader. */
export function withoutLeader(answer: Buffer, topic: string, partition: number): Buffer {
  const name = answer.indexOf(topic)
  if (name < 0) return answer
  const changed = Buffer.from(answer)
  // After the name: whether it is internal, and the partitions, each with an error, an index, a leader and three lists.
  let at = name + topic.length + 1
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
