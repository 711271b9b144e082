// Loaded into a relay process before its own code, so that it dies or stops at one exact step; the relay's code has no
// part in this. Requests to Postgres pass pg's Client.query. Requests to Kafka pass kafkajs's Broker, where their
// meaning is known, and then, asynchronously, the queue of a connection, where they are written.
import { AsyncLocalStorage } from 'node:async_hooks'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import pg from 'pg'
import { FAULT_VARIABLE, type Fault, type Point, type Step, type Struck } from './fault.ts'

interface Request {
  step: Step
  lane: number | undefined
}

const FENCE_HEADER = 'streamledger_fence'
const require = createRequire(import.meta.url)
const faultFile = process.env[FAULT_VARIABLE] ?? ''
const known = { text: '', fault: undefined as Fault | undefined }
const counts = new Map<number | undefined, number>()
const begun = new Set<number | undefined>()
const chosen = new WeakMap<Request, Fault>()

/** The fault of now: the test may give another at any time. */
function readFault(): Fault | undefined {
  const text = existsSync(faultFile) ? readFileSync(faultFile, 'utf8') : ''
  if (text !== known.text) {
    Object.assign(known, { text, fault: text ? JSON.parse(text) : undefined })
    counts.clear()
    begun.clear()
  }
  return known.fault
}

/** Counts a request that begins, and notes if it is one to be struck at. */
function begin(request: Request): void {
  const fault = readFault()
  if (!fault) return
  const { step, lane } = request
  // A look is of all lanes.
  if (step === fault.since) begun.add(lane).add(undefined)
  if (step !== fault.step || (fault.since && !begun.has(lane))) return
  const count = (counts.get(lane) ?? 0) + 1
  counts.set(lane, count)
  // One that is refused is asked again: then it is the next one whose answer counts.
  if (count >= fault.nth) chosen.set(request, fault)
}

function reach(request: Request, point: Point): void {
  const fault = chosen.get(request)
  if (point !== fault?.point) return
  const struck: Struck = { pid: process.pid, lane: request.lane }
  if (claim(fault.struckFile, JSON.stringify(struck))) process.kill(process.pid, fault.signal)
}

/** If the fault is at the last intent of a process, the process is asked to stop once it has committed a batch. */
function answered(request: Request): void {
  reach(request, 'after')
  const fault = readFault()
  if (fault?.step !== 'last intent' || request.step !== 'commit') return
  if (claim(`${fault.struckFile}.told`, '')) process.kill(process.pid, 'SIGTERM')
}

/** False: another replica was there before, or this one. */
function claim(file: string, text: string): boolean {
  try {
    writeFileSync(file, text, { flag: 'wx' })
    return true
  } catch {
    return false
  }
}

// Postgres.

const ROWS_MAX_AT = 3 // among the values of an intent

function requestOfStatement(statement: unknown, values: unknown[] | undefined): Request | undefined {
  const {
    name,
    text,
    values: own,
  } = typeof statement === 'string' ? { text: statement } : (statement as pg.QueryConfig)
  const lane = Number((own ?? values)?.[0])
  if (name === 'relay-intend') return { step: own?.[ROWS_MAX_AT] === 0 ? 'last intent' : 'intent', lane }
  if (/^\s*select o\.id, o\.key/.test(text)) return { step: 'read open batch', lane }
  return undefined
}

type Callback = (error: Error | undefined, result: unknown) => void
const clientPrototype = pg.Client.prototype as unknown as { query(...args: unknown[]): unknown }
const query = clientPrototype.query
clientPrototype.query = function (this: unknown, ...args: unknown[]): unknown {
  const request = requestOfStatement(args[0], args[1] as unknown[] | undefined)
  if (!request) return query.apply(this, args)
  begin(request)
  reach(request, 'before')
  const callback = args.at(-1) as Callback
  if (typeof callback !== 'function') throw new Error('the relay asks Postgres through the pool, which has callbacks')
  const answer: Callback = (error, result) => {
    if (!error) answered(request)
    callback(error, result)
  }
  const result = query.apply(this, [...args.slice(0, -1), answer])
  // The pool lends an idle client: what it is asked is written at once.
  reach(request, 'sent')
  return result
}

// Kafka.

interface BrokerRequest {
  transactionalId?: string
  transactionResult?: boolean
  topicData?: { partitions: { partition: number; messages: { headers?: Record<string, unknown> }[] }[] }[]
}

const STEPS: Record<string, (request: BrokerRequest) => Step> = {
  initProducerId: () => 'init producer id',
  addPartitionsToTxn: () => 'enlist partition',
  produce: ({ topicData }) =>
    FENCE_HEADER in (topicData?.[0]?.partitions[0]?.messages[0]?.headers ?? {}) ? 'fence' : 'send',
  addOffsetsToTxn: () => 'enlist group',
  txnOffsetCommit: () => 'receipt',
  endTxn: ({ transactionResult }) => (transactionResult ? 'commit' : 'abort'),
  offsetFetch: () => 'look',
}

const asked = new AsyncLocalStorage<Request>()
type Ask = (parameters: BrokerRequest) => Promise<unknown>

const broker = require('kafkajs/src/broker/index.js').prototype as Record<string, Ask>
for (const [method, stepOf] of Object.entries(STEPS)) {
  const own = broker[method]
  if (!own) throw new Error(`this kafkajs has no ${method}`)
  // The relay puts a function of its own in the place of some of them, broker by broker: that one is asked, too.
  const replaced = new WeakMap<object, Ask>()
  Object.defineProperty(broker, method, {
    get(this: object): Ask {
      return (parameters) => watch(stepOf(parameters), parameters, (replaced.get(this) ?? own).bind(this))
    },
    set(this: object, ask: Ask) {
      replaced.set(this, ask)
    },
  })
}

function watch(step: Step, parameters: BrokerRequest, ask: Ask): Promise<unknown> {
  const [, lane] = /-(\d+)$/.exec(parameters.transactionalId ?? '') ?? []
  const request = { step, lane: lane === undefined ? undefined : Number(lane) }
  begin(request)
  return asked.run(request, async () => {
    const answer = await ask(parameters)
    answered(request)
    return answer
  })
}

interface Pushed {
  sendRequest(): void
}

const queue = require('kafkajs/src/network/requestQueue/index.js').prototype as { push(pushed: Pushed): void }
const push = queue.push
queue.push = function (this: unknown, pushed: Pushed): void {
  const request = asked.getStore()
  const { sendRequest } = pushed
  pushed.sendRequest = () => {
    if (request) reach(request, 'before')
    sendRequest()
    if (request) reach(request, 'sent')
  }
  push.call(this, pushed)
}
