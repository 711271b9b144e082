-- The way out: rows that wait for Kafka, and what the relay remembers of each partition.

-- Which system this database belongs to. The same id is in every service's configuration: a copy of the database that
-- is started with another configuration must never publish as if it were the original.
create table installation (
  singleton         boolean not null default true,
  id                uuid not null,
  system_identifier text not null, -- of the Postgres cluster: a dump reloaded elsewhere shows another
  created_at        timestamptz not null default now(),
  constraint installation_pk primary key (singleton),
  constraint installation_only_one check (singleton)
);

create table topic (
  singleton    boolean not null default true,
  name         text not null,
  partitions   integer not null,
  generation   bigint not null default 1, -- raised whenever anything in this row changes; a posting batch holds it to what it read
  paused       boolean not null default false, -- nothing may be posted while the partitions are being changed
  event_source text not null, -- ce_source of every event; with ce_id it is the event's identity
  constraint topic_pk primary key (singleton),
  constraint topic_only_one check (singleton),
  constraint topic_partitions_range check (partitions between 1 and 1000)
);

-- Written in the ledger's own commit, read and deleted only by the relay. The ledger is the history; this is a queue.
create table outbox (
  partition  integer not null, -- of the topic, fixed when the row is written: one partition, one writer, one order
  id         bigint generated always as identity,
  xid        xid8 not null default pg_current_xact_id(), -- with a snapshot, says exactly which rows a batch holds
  created_at timestamptz not null default now(),
  key        text not null,
  payload    text not null, -- the bytes that are published
  headers    json not null, -- an object of strings
  constraint outbox_pk primary key (partition, id),
  constraint outbox_partition_positive check (partition >= 0),
  constraint outbox_row_size check (octet_length(payload) + octet_length(headers::text) <= 16384)
) with (
  -- Every row dies within seconds: vacuum by count, often and without pauses, or the index fills with dead entries.
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000,
  autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000
);

create table relay_instances (
  id           uuid not null,
  started_at   timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  constraint relay_instances_pk primary key (id)
);

-- One lane a partition. A batch is open while batch_id is not null: its rows are "id <= batch_last_id and visible in
-- batch_snapshot", and they may or may not be in Kafka yet.
create table relay_partitions (
  partition        integer not null,
  lease_owner      uuid,
  lease_token      uuid, -- random, drawn anew with each lease: a counter could repeat after a lossy fail-over
  lease_expires_at timestamptz,
  batch_seq        bigint not null default 0, -- of the last batch intended
  batch_id         uuid,
  batch_last_id    bigint,
  batch_snapshot   pg_snapshot,
  batch_rows       integer,
  next_offset      bigint, -- in Kafka, after the last record of the last confirmed batch
  receipt_at       timestamptz, -- when the receipt was last written for its own sake, see the relay
  halted_at        timestamptz,
  halted_reason    text,
  constraint relay_partitions_pk primary key (partition),
  constraint relay_partitions_batch_whole check (
    num_nulls(batch_id, batch_last_id, batch_snapshot, batch_rows) in (0, 4)
  ),
  constraint relay_partitions_lease_whole check (num_nulls(lease_owner, lease_token, lease_expires_at) in (0, 3)),
  constraint relay_partitions_halt_whole check (num_nulls(halted_at, halted_reason) in (0, 2))
) with (fillfactor = 10); -- a handful of rows that change hundreds of times a second, each within its own page
