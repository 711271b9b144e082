/** Refused in one turn of the event loop: a few milliseconds, in which those who were let in are not served. */
const REFUSED_A_TURN_MAX = 64

type Refuse = () => void
export type Refusals = ReturnType<typeof createRefusals>

/**
 * Spreads refusals over turns of the event loop. A flood would otherwise fill each turn with thousands of them, while
 * the database, which is heard once a turn, stands idle. A client that floods over open connections is slowed down by
 * this; no more wait here than there are requests on open connections.
 */
export function createRefusals() {
  let waiting: Refuse[] = []
  let scheduled = false

  function takeTurn(): void {
    const refused = waiting.slice(0, REFUSED_A_TURN_MAX)
    waiting = waiting.slice(REFUSED_A_TURN_MAX)
    scheduled = waiting.length > 0
    if (scheduled) setImmediate(takeTurn)
    for (const refuse of refused) refuse()
  }

  return {
    add(refuse: Refuse): void {
      waiting.push(refuse)
      if (scheduled) return
      scheduled = true
      setImmediate(takeTurn)
    },
  }
}
