/**
 * Requests rejected per turn of the event loop. They take a few milliseconds, in which accepted requests are not
 * served.
 */
const REFUSED_A_TURN_MAX = 64

type Refuse = () => void
export type Refusals = ReturnType<typeof createRefusals>

/**
 * Spreads rejections by rate limits, load and a full queue over turns of the event loop. A flood would otherwise fill
 * each turn with thousands of them while the database is idle: its answers are read once per turn. This also slows down
 * a client that floods over open connections. No more rejections wait here than there are requests on open connections.
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
