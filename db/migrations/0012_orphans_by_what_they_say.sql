--! concurrent index
-- A topic that was made anew, since Kafka was lost, has the same places as the one before it, and other events in them.
create unique index concurrently orphaned_events_unique on orphaned_events (partition, "offset", md5(coalesce(payload, '')));
