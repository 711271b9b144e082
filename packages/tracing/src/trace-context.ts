/** The two headers of W3C Trace Context, as received or sent. */
export interface TraceContext {
  traceparent: string
  tracestate?: string
}

// Source: W3C Trace Context, level 1. Of a future version, only the part that version 00 defines is read.
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?$/
const TRACEPARENT_CHARACTERS = 55
/** Bounded, because future versions may be longer. */
const TRACEPARENT_CHARACTERS_MAX = 255
const SAMPLED = 1
const TRACESTATE_CHARACTERS_MAX = 512
const TRACESTATE_MEMBERS_MAX = 32
const TRACESTATE_MEMBER = /^[ \t]*([a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,256})?[ \t]*$/

/** Reads the trace context from headers or similar fields. Malformed values are ignored, as the standard demands. */
export function readTraceContext(carrier: Readonly<Record<string, unknown>>): TraceContext | undefined {
  const traceparent = readTraceparent(carrier.traceparent)
  if (traceparent === undefined) return undefined
  const tracestate = readTracestate(carrier.tracestate)
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate }
}

function readTraceparent(header: unknown): string | undefined {
  if (typeof header !== 'string' || header.length > TRACEPARENT_CHARACTERS_MAX) return undefined
  const [, version, ids, flags = '', rest] = TRACEPARENT.exec(header) ?? []
  if (version === undefined) return undefined
  if (version === '00') return rest === undefined ? header : undefined
  return `00-${ids}-0${Number.parseInt(flags, 16) & SAMPLED}`
}

function readTracestate(header: unknown): string | undefined {
  if (typeof header !== 'string' || header === '' || header.length > TRACESTATE_CHARACTERS_MAX) return undefined
  const members = header.split(',')
  const isWhole = members.length <= TRACESTATE_MEMBERS_MAX && members.every((member) => TRACESTATE_MEMBER.test(member))
  return isWhole ? header : undefined
}

/** Whether the caller has decided to record the trace. */
export function isSampled({ traceparent }: TraceContext): boolean {
  return (Number.parseInt(traceparent.slice(TRACEPARENT_CHARACTERS - 2), 16) & SAMPLED) !== 0
}

/** Fields for log lines, to find the trace of a line and the lines of a trace. */
export function traceFields(context: TraceContext | undefined): { trace_id?: string; span_id?: string } {
  if (context === undefined) return {}
  const [, trace_id = '', span_id = ''] = context.traceparent.split('-')
  return { trace_id, span_id }
}
