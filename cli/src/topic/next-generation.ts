/**
 * Of the topic's row: never the same twice, also in a database that was restored. An API that has lived through that may
 * remember the topic of a future that is lost, and must not take what is made of it now for the same.
 */
export const NEXT_GENERATION = 'greatest(generation + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint)'
