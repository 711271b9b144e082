import { setFlagsFromString } from 'node:v8'

/**
 * Has V8 collect sooner than it would by itself, for services through which many rows flow, each garbage soon after. An
 * exporter of 300,000 rows, without a database, peaked at 130 MB instead of 260, for about a quarter more CPU time; a
 * relay that drains 600,000 at 264 MB instead of 486, as fast within the noise.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1') // what is young stays in the space that it began with
  setFlagsFromString('--heap-growing-percent=60') // what is old is looked through when it has grown by so much
}
