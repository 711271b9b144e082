/**
 * The next generation of the topic's row: never the same twice, even in a restored database. An API that ran through the
 * restore may remember a row that the restore has undone, and must not mistake a new row for it.
 */
export const NEXT_GENERATION = 'greatest(generation + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint)'
