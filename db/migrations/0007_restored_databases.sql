-- What a database that went back in time has to know of its past.

-- ce_source of events from before: together with ce_id it was an event's identity, and ce_id begins anew.
create table event_sources (
  source     text not null,
  retired_at timestamptz not null default now(),
  constraint event_sources_pk primary key (source)
);

-- Events in the topic of transactions that this ledger does not have, and will not get: an operator has said so.
create table orphaned_events (
  partition   integer not null,
  "offset"    bigint not null,
  key         text,
  payload     text,
  headers     json not null,
  recorded_at timestamptz not null default now(),
  constraint orphaned_events_pk primary key (partition, "offset")
);
create trigger event_sources_append_only before update or delete or truncate on event_sources
  for each statement execute function refuse_change();
create trigger orphaned_events_append_only before update or delete or truncate on orphaned_events
  for each statement execute function refuse_change();
