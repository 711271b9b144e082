-- What an operator does to the event stream, and what is remembered of it.

alter table topic add column paused_reason text; -- who pauses says why: whoever is paged reads it, and only the same work unpauses

-- Set by an operator who has settled what is in the partition: it ends here in Kafka, and nothing is open. The next holder
-- of the lease writes a new receipt on the strength of it, if the partition still ends here.
alter table relay_partitions add column resolved_end bigint;

create table relay_resolutions (
  id          bigint generated always as identity,
  partition   integer not null,
  batch_seq   bigint not null, -- of the lane when it was resolved
  batch_id    uuid,            -- null when no batch was open
  outcome     text not null,
  reason      text not null,   -- as the operator gave it
  resolved_by text not null,
  evidence    json not null,   -- what was known: the halt, the receipt, the rows and which of them were in the topic
  resolved_at timestamptz not null default now(),
  constraint relay_resolutions_pk primary key (id),
  constraint relay_resolutions_outcome_known check (outcome in ('published', 'unpublished', 'partly'))
);
create trigger relay_resolutions_append_only before update or delete or truncate on relay_resolutions
  for each statement execute function refuse_change();
