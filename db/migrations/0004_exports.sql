-- Excel files that people asked for. The job that writes one is queued in the same commit as its row.

create type export_status as enum ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired');

create table exports (
  id              uuid not null default uuidv7(),
  wallet_id       bigint not null,
  status          export_status not null default 'queued',
  entry           entry, -- filters: null means all
  from_at         timestamptz(3), -- inclusive
  to_at           timestamptz(3), -- exclusive
  as_of_sequence  bigint not null, -- the wallet's last transaction when it was asked for: every attempt writes the same rows
  idempotency_key text,
  attempt         uuid, -- of the exporter that may publish; another takes over by writing its own
  rows_done       bigint not null default 0,
  rows_total      bigint,
  file            text, -- the store's key of the published file
  size            bigint, -- bytes
  sha256          text,
  error           text, -- a code, see the exporter
  created_at      timestamptz(3) not null default now(),
  started_at      timestamptz(3),
  finished_at     timestamptz(3),
  expires_at      timestamptz(3),
  constraint exports_pk primary key (id),
  constraint exports_wallet_fk foreign key (wallet_id) references wallets (id),
  constraint exports_idempotency_key_unique unique (wallet_id, idempotency_key),
  constraint exports_idempotency_key_length check (char_length(idempotency_key) between 1 and 255),
  constraint exports_file_with_success check (
    (status = 'succeeded') <= (num_nulls(file, size, sha256, finished_at, expires_at) = 0)
  ),
  constraint exports_error_with_failure check ((status = 'failed') = (error is not null))
);
create index exports_by_wallet on exports (wallet_id, created_at desc, id desc);
create index exports_by_expiry on exports (expires_at) where status = 'succeeded';
