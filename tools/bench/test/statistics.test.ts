import { expect, test } from 'vitest'
import { median, percentile, slopeOf, spreadOf } from '../src/measure/statistics.ts'

const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)

test('a percentile is a value that was measured, by nearest rank', () => {
  expect(percentile(hundred, 0.5)).toBe(50)
  expect(percentile(hundred, 0.99)).toBe(99)
  expect(percentile(hundred, 1)).toBe(100)
  expect(percentile(hundred, 0)).toBe(1)
  expect(percentile([7], 0.99)).toBe(7)
})

test('no values have no percentile and no median', () => {
  expect(percentile([], 0.5)).toBeNaN()
  expect(median([])).toBeNaN()
})

test('a spread is the middle run and the extremes, whatever their order', () => {
  expect(spreadOf([30, 10, 20])).toEqual({ median: 20, min: 10, max: 30 })
  expect(spreadOf([40, 10, 20, 30]).median).toBe(25)
})

test('a slope is what least squares find', () => {
  expect(slopeOf([3, 5, 7].map((y, x) => ({ x, y })))).toBeCloseTo(2)
  expect(slopeOf([5, 5, 5].map((y, x) => ({ x, y })))).toBe(0)
  expect(slopeOf([{ x: 1, y: 9 }])).toBe(0)
})
