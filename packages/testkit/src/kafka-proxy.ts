import {
  createFramer,
  encodeAnswer,
  type KafkaApi,
  type KafkaError,
  type RequestFrame,
  readAnswer,
  readRequest,
  refuse,
} from './kafka-frame.ts'
import {
  createHeldRequest,
  type Held,
  type HeldRequest,
  startTappedProxy,
  type Tap,
  type TappedLink,
  type TcpProxy,
} from './tcp-proxy.ts'

/** A fault of one request, or of its response. */
export type KafkaFault =
  /** The connection ends before the request reaches the broker. */
  | { kind: 'cut_before' }
  /** The connection ends when the broker has answered: the request took effect, and the client does not learn it. */
  | { kind: 'cut_after' }
  /** The same two faults with an open connection: only the request or the response is lost. */
  | { kind: 'lose_request' }
  | { kind: 'lose_answer' }
  | { kind: 'answer_twice' }
  /** The request does not reach the broker, and the client gets this error. */
  | { kind: 'refuse'; error: KafkaError }
  /** The request takes effect, and the client gets this error. */
  | { kind: 'misreport'; error: KafkaError }
  /** The request takes effect, and its response is changed. */
  | { kind: 'rewrite'; rewrite: (answer: Buffer) => Buffer }

export interface Disturbance {
  /** The number of requests that had this fault. */
  readonly met: number
  stop(): void
}

export interface KafkaRequest {
  readonly api: KafkaApi | undefined
  readonly body: Buffer
  /** When the request and its response came to the proxy, as of performance.now(). */
  readonly sentAt: number
  readonly answeredAt: number | undefined
}

/** A proxy in front of a broker that can tell Kafka's requests apart. */
export interface KafkaProxy extends TcpProxy {
  /** All requests so far, in the order of arrival. */
  readonly requests: readonly KafkaRequest[]
  /** Applies a fault to the next requests of a kind, by default to one. */
  disturb(api: KafkaApi, fault: KafkaFault, times?: number): Disturbance
  /** Holds the next request of a kind, and everything after it on its connection; see `hold`. */
  holdRequest(api: KafkaApi): HeldRequest
}

interface Disturbing {
  api: KafkaApi
  fault: KafkaFault
  left: number
  met: number
}

interface Asked extends RequestFrame {
  sentAt: number
  answeredAt: number | undefined
  fault: KafkaFault | undefined
}

interface Watch {
  asked: Asked[]
  disturbing: Set<Disturbing>
  holding: Map<Held, KafkaApi>
}

export async function startKafkaProxy(target: string, port = 0): Promise<KafkaProxy> {
  const watch: Watch = { asked: [], disturbing: new Set(), holding: new Map() }
  const proxy = await startTappedProxy([target], (link) => tapKafka(link, watch), port)
  // Not spread: some of its properties are read anew each time.
  return Object.assign(proxy, {
    requests: watch.asked,
    disturb: (api: KafkaApi, fault: KafkaFault, times = 1) => {
      const disturbing = { api, fault, left: times, met: 0 }
      watch.disturbing.add(disturbing)
      return {
        get met() {
          return disturbing.met
        },
        stop: () => void watch.disturbing.delete(disturbing),
      }
    },
    holdRequest: (api: KafkaApi) => {
      const held: Held = { isCaught: false, isReleased: false }
      watch.holding.set(held, api)
      return createHeldRequest(held, () => watch.holding.delete(held))
    },
  })
}

function tapKafka(link: TappedLink, watch: Watch): Tap {
  const open = new Map<number, Asked>()
  const answer = (bytes: Buffer) => link.pass('to_client', bytes)
  const onRequest = (frame: Buffer) => {
    const request = readRequest(frame)
    const fault = takeFault(watch, request)
    const asked = { ...request, sentAt: performance.now(), answeredAt: undefined, fault }
    watch.asked.push(asked)
    if (fault?.kind === 'cut_before') return link.cut()
    if (fault?.kind === 'lose_request') return
    if (fault?.kind === 'refuse') return answer(encodeAnswer(request.correlationId, refuse(request, fault.error)))
    open.set(request.correlationId, asked)
    for (const [held, api] of watch.holding) if (!held.isCaught && api === request.api) link.keepBack(held)
    link.pass('to_target', frame)
  }
  const onAnswer = (frame: Buffer) => {
    const { correlationId, body } = readAnswer(frame)
    const asked = open.get(correlationId)
    open.delete(correlationId)
    if (asked) asked.answeredAt = performance.now()
    const fault = asked?.fault
    if (fault?.kind === 'lose_answer') return
    if (fault?.kind === 'cut_after') return link.cut()
    if (asked && fault?.kind === 'misreport') return answer(encodeAnswer(correlationId, refuse(asked, fault.error)))
    if (fault?.kind === 'rewrite') return answer(encodeAnswer(correlationId, fault.rewrite(body)))
    answer(frame)
    if (fault?.kind === 'answer_twice') answer(frame)
  }
  return { to_target: createFramer(onRequest), to_client: createFramer(onAnswer) }
}

function takeFault({ disturbing }: Watch, { api }: RequestFrame): KafkaFault | undefined {
  const next = [...disturbing].find((each) => each.api === api && each.left > 0)
  if (!next) return undefined
  next.left -= 1
  next.met += 1
  return next.fault
}
