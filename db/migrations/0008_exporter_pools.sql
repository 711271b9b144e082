-- Which exporters are alive. graphile-worker itself holds the jobs of one that was killed for four hours.
create table exporter_pools (
  id           text not null, -- of graphile-worker's worker pool: what its jobs are locked by
  started_at   timestamptz not null default now(),
  heartbeat_at timestamptz not null default now(),
  constraint exporter_pools_pk primary key (id)
);

-- What is looked through every minute for exports whose job was lost.
create index exports_unfinished on exports (id) where status in ('queued', 'running');
