import { setFlagsFromString } from 'node:v8'

/**
 * Has V8 collect sooner than it would by itself, as a row's cells are garbage as soon as they are written. For 300,000
 * rows, without a database, it took the peak from about 260 MB to 130 MB, for about a quarter more CPU time.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1') // what is young stays in the space that it began with
  setFlagsFromString('--heap-growing-percent=60') // what is old is looked through when it has grown by so much
}
