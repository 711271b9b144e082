import { expect, test } from 'vitest'
import { isSampled, readTraceContext, traceFields } from '../src/index.ts'

const TRACE = 'a1'.repeat(16)
const SPAN = 'b2'.repeat(8)
const traceparent = `00-${TRACE}-${SPAN}-01`

test.each([
  ['recorded', traceparent, traceparent],
  ['not recorded', `00-${TRACE}-${SPAN}-00`, `00-${TRACE}-${SPAN}-00`],
  ['with a flag of level 2', `00-${TRACE}-${SPAN}-03`, `00-${TRACE}-${SPAN}-03`],
  ['of a later version, told in ours', `cc-${TRACE}-${SPAN}-ff`, traceparent],
  ['of a later version that has more to say', `01-${TRACE}-${SPAN}-00-what-is-this`, `00-${TRACE}-${SPAN}-00`],
])('a traceparent is read: %s', (_, header, read) => {
  expect(readTraceContext({ traceparent: header })).toEqual({ traceparent: read })
})

test.each([
  ['empty', ''],
  ['in capitals', traceparent.toUpperCase()],
  ['of no trace', `00-${'0'.repeat(32)}-${SPAN}-01`],
  ['of no span', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['too short', traceparent.slice(0, -1)],
  ['with more than version 00 has', `${traceparent}-more`],
  ['of the version that is none', `ff-${TRACE}-${SPAN}-01`],
  ['of a later version, glued', `01-${TRACE}-${SPAN}-01more`],
  ['of a later version, with a line break', `01-${TRACE}-${SPAN}-01-a\nb`],
  ['of a later version, without an end', `01-${TRACE}-${SPAN}-01-${'x'.repeat(10_000)}`],
  ['sent twice', `${traceparent}, ${traceparent}`],
  ['a list', [traceparent]],
  ['a number', 1],
  ['SQL', "00'; drop table outbox; --"],
  ['with a NUL', `${traceparent}\0`],
])('what is no traceparent is as good as none: %s', (_, header) => {
  expect(readTraceContext({ traceparent: header, tracestate: 'a=1' })).toBeUndefined()
})

test.each([
  ['one member', 'vendor=opaque'],
  ['several, and of a tenant', 'rojo=00f067aa0ba902b7, congo@tenant=t61rcWkgMzE,,x= y'],
  ['as long as it may be', `a=${'x'.repeat(250)},b=${'y'.repeat(256)},`.slice(0, 512)],
])('a tracestate goes along: %s', (_, tracestate) => {
  expect(readTraceContext({ traceparent, tracestate })).toEqual({ traceparent, tracestate })
})

test.each([
  ['empty', ''],
  ['too long', `a=${'x'.repeat(255)},b=${'y'.repeat(255)}`],
  ['too many members', Array.from({ length: 33 }, (_, n) => `k${n}=1`).join()],
  ['no members', 'nonsense'],
  ['a key in capitals', 'Vendor=1'],
  ['a line break', 'a=1\r\nx-evil: 1'],
  ['what no header of Kafka should have', 'a=\u0001'],
  ['not Latin', 'a=ü'],
  ['a list', ['a=1']],
])('a malformed tracestate is left behind, and the trace goes on: %s', (_, tracestate) => {
  expect(readTraceContext({ traceparent, tracestate })).toEqual({ traceparent })
})

test('the flag says whether a trace is recorded', () => {
  const flags = ['00', '01', '02', '03', 'fe', 'ff']
  expect(flags.filter((flag) => isSampled({ traceparent: `00-${TRACE}-${SPAN}-${flag}` }))).toEqual(['01', '03', 'ff'])
})

test('a line of the log names trace and span, and nothing where there is none', () => {
  expect(traceFields({ traceparent })).toEqual({ trace_id: TRACE, span_id: SPAN })
  expect(traceFields(undefined)).toEqual({})
})
