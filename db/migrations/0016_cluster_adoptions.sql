-- Which other Kafka an operator has recorded as the one that has the events, and why: relay adopt-cluster. The audit goes on
-- from its position there, since each event has kept its offset.
create table cluster_adoptions (
  id              bigint generated always as identity,
  from_cluster_id text not null,
  from_topic_id   text not null,
  to_cluster_id   text not null,
  to_topic_id     text not null,
  reason          text not null, -- as the operator gave it
  adopted_by      text not null,
  evidence        json not null, -- each partition, as it was shown: its end, its receipt, its last event
  adopted_at      timestamptz not null default now(),
  constraint cluster_adoptions_pk primary key (id)
);
create trigger cluster_adoptions_append_only before update or delete or truncate on cluster_adoptions
  for each statement execute function refuse_change();
