--! contract
-- orphaned_events_unique stands in its place. The previous release names no constraint when it records an event.
alter table orphaned_events drop constraint orphaned_events_pk;
