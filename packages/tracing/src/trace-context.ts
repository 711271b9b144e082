/** What a caller says of its trace, or we of ours: the two headers of W3C Trace Context, as they travel. */
export interface TraceContext {
  traceparent: string
  tracestate?: string
}

// Source: W3C Trace Context, level 1. A version that is not known yet is read as far as it is like the first one.
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?$/
const TRACEPARENT_CHARACTERS = 55
/** Of a version that is not known yet: it may be longer, and nobody's memory is for that. */
const TRACEPARENT_CHARACTERS_MAX = 255
const SAMPLED = 1
const TRACESTATE_CHARACTERS_MAX = 512
const TRACESTATE_MEMBERS_MAX = 32
const TRACESTATE_MEMBER = /^[ \t]*([a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,256})?[ \t]*$/

/** The trace that headers, or whatever else carries them, belong to. Anything malformed is as good as none, as the standard wants it. */
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

/** Whether the trace is recorded, as far as whoever went before has decided. */
export function isSampled({ traceparent }: TraceContext): boolean {
  return (Number.parseInt(traceparent.slice(TRACEPARENT_CHARACTERS - 2), 16) & SAMPLED) !== 0
}

/** What a log line says of a trace, so that one leads to the other. */
export function traceFields(context: TraceContext | undefined): { trace_id?: string; span_id?: string } {
  if (context === undefined) return {}
  const [, trace_id = '', span_id = ''] = context.traceparent.split('-')
  return { trace_id, span_id }
}
