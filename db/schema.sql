-- The schema after all migrations, written by `npm run fix`. Change a migration, not this file.

create type entry as enum ('credit', 'debit');

create type export_status as enum ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'expired');

create type refusal_code as enum ('insufficient_funds', 'balance_limit');

create type security_event_kind as enum ('signed_up', 'logged_in', 'log_in_failed', 'log_in_limited', 'refreshed', 'refresh_refused', 'refresh_reused', 'logged_out', 'export_downloaded');

CREATE OR REPLACE FUNCTION public.current_timeline()
 RETURNS bigint
 LANGUAGE sql
AS $function$
  select ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint
$function$
;

CREATE OR REPLACE FUNCTION public.keep_ids_apart()
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
  now_on constant bigint := current_timeline();
  range constant bigint := 100_000_000_000;
  margin constant bigint := 1_000_000_000;
begin
  if not exists (select from installation where timeline <> now_on) then return; end if;
  -- Whoever comes second waits here until the first has raised them.
  update installation set timeline = now_on where timeline <> now_on;
  if found then
    perform setval(name, greatest(now_on * range, margin + nextval(name)))
       from unnest(array['transactions_id_seq', 'users_id_seq', 'wallets_id_seq']::regclass[]) as name;
  end if;
end
$function$
;

CREATE OR REPLACE FUNCTION public.keep_ids_apart_before()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  perform keep_ids_apart();
  return null;
end
$function$
;

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
  raise exception '% is append only: % refused', tg_table_name, lower(tg_op)
    using errcode = 'restrict_violation', constraint = tg_table_name || '_append_only';
end
$function$
;

CREATE OR REPLACE FUNCTION public.sequence_before(wallet bigint, instant timestamp with time zone)
 RETURNS bigint
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
AS $function$
declare
  low bigint := 0; -- known to be before the instant
  high bigint := 1 + coalesce((select max(sequence) from transactions where wallet_id = wallet), 0); -- known not to be
  middle bigint;
begin
  while high - low > 1 loop
    middle := (low + high) / 2;
    if (select created_at < instant from transactions where wallet_id = wallet and sequence = middle) then
      low := middle;
    else
      high := middle;
    end if;
  end loop;
  return low;
end
$function$
;

create table cluster_adoptions (
  id bigint not null generated always as identity,
  from_cluster_id text not null,
  from_topic_id text not null,
  to_cluster_id text not null,
  to_topic_id text not null,
  reason text not null,
  adopted_by text not null,
  evidence json not null,
  adopted_at timestamp with time zone not null default now(),
  constraint cluster_adoptions_pk PRIMARY KEY (id)
);

create table event_sources (
  source text not null,
  retired_at timestamp with time zone not null default now(),
  constraint event_sources_pk PRIMARY KEY (source)
);

create table exporter_pools (
  id text not null,
  started_at timestamp with time zone not null default now(),
  heartbeat_at timestamp with time zone not null default now(),
  constraint exporter_pools_pk PRIMARY KEY (id)
);

create table exports (
  id uuid not null default uuidv7(),
  wallet_id bigint not null,
  status export_status not null default 'queued'::export_status,
  entry entry,
  from_at timestamp(3) with time zone,
  to_at timestamp(3) with time zone,
  as_of_sequence bigint not null,
  idempotency_key text,
  attempt uuid,
  rows_done bigint not null default 0,
  rows_total bigint,
  file text,
  size bigint,
  sha256 text,
  error text,
  created_at timestamp(3) with time zone not null default now(),
  started_at timestamp(3) with time zone,
  finished_at timestamp(3) with time zone,
  expires_at timestamp(3) with time zone,
  constraint exports_error_with_failure CHECK (((status = 'failed'::export_status) = (error IS NOT NULL))),
  constraint exports_file_with_success CHECK (((status = 'succeeded'::export_status) <= (num_nulls(file, size, sha256, finished_at, expires_at) = 0))),
  constraint exports_idempotency_key_length CHECK (((char_length(idempotency_key) >= 1) AND (char_length(idempotency_key) <= 255))),
  constraint exports_idempotency_key_unique UNIQUE (wallet_id, idempotency_key),
  constraint exports_pk PRIMARY KEY (id),
  constraint exports_wallet_fk FOREIGN KEY (wallet_id) REFERENCES wallets(id)
);

create table installation (
  singleton boolean not null default true,
  id uuid not null,
  system_identifier text not null,
  created_at timestamp with time zone not null default now(),
  timeline bigint not null default current_timeline(),
  constraint installation_only_one CHECK (singleton),
  constraint installation_pk PRIMARY KEY (singleton)
);

create table log_in_counts (
  account bytea,
  network text,
  failures integer not null,
  counts_until timestamp(3) with time zone not null,
  waits_until timestamp(3) with time zone,
  known_until timestamp(3) with time zone,
  expires_at timestamp(3) with time zone not null default GREATEST(counts_until, known_until),
  constraint log_in_counts_failures_positive CHECK ((failures >= 0)),
  constraint log_in_counts_network_length CHECK ((char_length(network) <= 64)),
  constraint log_in_counts_of_something CHECK (((account IS NOT NULL) OR (network IS NOT NULL))),
  constraint log_in_counts_pairs_wait CHECK ((((account IS NOT NULL) AND (network IS NOT NULL)) OR ((waits_until IS NULL) AND (known_until IS NULL)))),
  constraint log_in_counts_unique UNIQUE NULLS NOT DISTINCT (account, network)
);

create table orphaned_events (
  partition integer not null,
  "offset" bigint not null,
  key text,
  payload text,
  headers json not null,
  recorded_at timestamp with time zone not null default now()
);

create table outbox (
  partition integer not null,
  id bigint not null default 
CASE
    WHEN (pg_current_xact_id() IS NOT NULL) THEN nextval('outbox_ids'::regclass)
    ELSE NULL::bigint
END,
  xid xid8 not null default pg_current_xact_id(),
  created_at timestamp with time zone not null default now(),
  key text not null,
  payload text not null,
  headers json not null,
  constraint outbox_partition_positive CHECK ((partition >= 0)),
  constraint outbox_pk PRIMARY KEY (partition, id),
  constraint outbox_row_size CHECK (((octet_length(payload) + octet_length((headers)::text)) <= 16384))
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=20000, autovacuum_vacuum_insert_threshold=-1, autovacuum_vacuum_cost_delay=0, autovacuum_analyze_scale_factor=0, autovacuum_analyze_threshold=100000);

create table refresh_tokens (
  hash bytea not null,
  session_id uuid not null,
  created_at timestamp(3) with time zone not null default now(),
  expires_at timestamp(3) with time zone not null,
  used_at timestamp(3) with time zone,
  constraint refresh_tokens_hash_length CHECK ((octet_length(hash) = 32)),
  constraint refresh_tokens_pk PRIMARY KEY (hash),
  constraint refresh_tokens_session_fk FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE
);

create table refusals (
  wallet_id bigint not null,
  amount bigint not null,
  balance bigint not null,
  created_at timestamp(3) with time zone not null,
  entry entry not null,
  code refusal_code not null,
  trans_id text not null,
  constraint refusals_amount_range CHECK (((amount >= 1) AND (amount <= '9007199254740991'::bigint))),
  constraint refusals_balance_range CHECK (((balance >= 0) AND (balance <= '9007199254740991'::bigint))),
  constraint refusals_pk PRIMARY KEY (wallet_id, trans_id),
  constraint refusals_trans_id_length CHECK (((char_length(trans_id) >= 1) AND (char_length(trans_id) <= 255))),
  constraint refusals_wallet_fk FOREIGN KEY (wallet_id) REFERENCES wallets(id)
);

create table relay_instances (
  id uuid not null,
  started_at timestamp with time zone not null default now(),
  heartbeat_at timestamp with time zone not null default now(),
  failing_since timestamp with time zone,
  constraint relay_instances_pk PRIMARY KEY (id)
);

create table relay_partitions (
  partition integer not null,
  lease_owner uuid,
  lease_token uuid,
  lease_expires_at timestamp with time zone,
  batch_seq bigint not null default 0,
  batch_id uuid,
  batch_last_id bigint,
  batch_snapshot pg_snapshot,
  batch_rows integer,
  next_offset bigint,
  receipt_at timestamp with time zone,
  halted_at timestamp with time zone,
  halted_reason text,
  resolved_end bigint,
  floor_id bigint not null default 0,
  floor_next_id bigint,
  floor_next_xid xid8,
  constraint relay_partitions_batch_whole CHECK ((num_nulls(batch_id, batch_last_id, batch_snapshot, batch_rows) = ANY (ARRAY[0, 4]))),
  constraint relay_partitions_floor_next_whole CHECK ((num_nulls(floor_next_id, floor_next_xid) = ANY (ARRAY[0, 2]))),
  constraint relay_partitions_halt_whole CHECK ((num_nulls(halted_at, halted_reason) = ANY (ARRAY[0, 2]))),
  constraint relay_partitions_lease_whole CHECK ((num_nulls(lease_owner, lease_token, lease_expires_at) = ANY (ARRAY[0, 3]))),
  constraint relay_partitions_pk PRIMARY KEY (partition)
) with (fillfactor=10);

create table relay_resolutions (
  id bigint not null generated always as identity,
  partition integer not null,
  batch_seq bigint not null,
  batch_id uuid,
  outcome text not null,
  reason text not null,
  resolved_by text not null,
  evidence json not null,
  resolved_at timestamp with time zone not null default now(),
  constraint relay_resolutions_outcome_known CHECK ((outcome = ANY (ARRAY['published'::text, 'unpublished'::text, 'partly'::text]))),
  constraint relay_resolutions_pk PRIMARY KEY (id)
);

create table schema_migrations (
  version integer not null,
  name text not null,
  checksum text not null,
  breaking boolean not null,
  applied_at timestamp with time zone not null default now(),
  constraint schema_migrations_pk PRIMARY KEY (version)
);

create table security_events (
  id bigint not null generated always as identity,
  created_at timestamp(3) with time zone not null default now(),
  user_id bigint,
  subject uuid,
  request_id uuid not null,
  kind security_event_kind not null,
  address text not null,
  user_agent text,
  constraint security_events_address_length CHECK ((char_length(address) <= 64)),
  constraint security_events_pk PRIMARY KEY (id),
  constraint security_events_user_agent_length CHECK ((char_length(user_agent) <= 200))
);

create table sessions (
  id uuid not null,
  user_id bigint not null,
  created_at timestamp(3) with time zone not null default now(),
  revoked_at timestamp(3) with time zone,
  constraint sessions_pk PRIMARY KEY (id),
  constraint sessions_user_fk FOREIGN KEY (user_id) REFERENCES users(id)
);

create table topic (
  singleton boolean not null default true,
  name text not null,
  partitions integer not null,
  generation bigint not null default 1,
  paused boolean not null default false,
  event_source text not null,
  paused_reason text,
  kafka_cluster_id text,
  kafka_topic_id text,
  constraint topic_only_one CHECK (singleton),
  constraint topic_partitions_range CHECK (((partitions >= 1) AND (partitions <= 1000))),
  constraint topic_pk PRIMARY KEY (singleton)
);

create table transactions (
  id bigint not null generated by default as identity,
  wallet_id bigint not null,
  sequence bigint not null,
  amount bigint not null,
  balance bigint not null,
  created_at timestamp(3) with time zone not null,
  entry entry not null,
  trans_id text not null,
  constraint transactions_amount_range CHECK (((amount >= 1) AND (amount <= '9007199254740991'::bigint))),
  constraint transactions_balance_range CHECK (((balance >= 0) AND (balance <= '9007199254740991'::bigint))),
  constraint transactions_pk PRIMARY KEY (id),
  constraint transactions_sequence_positive CHECK ((sequence > 0)),
  constraint transactions_sequence_unique UNIQUE (wallet_id, sequence),
  constraint transactions_trans_id_length CHECK (((char_length(trans_id) >= 1) AND (char_length(trans_id) <= 255))),
  constraint transactions_trans_id_unique UNIQUE (wallet_id, trans_id),
  constraint transactions_wallet_fk FOREIGN KEY (wallet_id) REFERENCES wallets(id)
);

create table users (
  id bigint not null generated always as identity,
  first_name text not null,
  last_name text not null,
  email text not null,
  password text not null,
  created_at timestamp(3) with time zone not null default now(),
  constraint users_email_length CHECK ((octet_length(email) <= 254)),
  constraint users_first_name_length CHECK (((char_length(first_name) >= 1) AND (char_length(first_name) <= 100))),
  constraint users_last_name_length CHECK (((char_length(last_name) >= 1) AND (char_length(last_name) <= 100))),
  constraint users_pk PRIMARY KEY (id)
);

create table wallets (
  id bigint not null generated always as identity,
  user_id bigint not null,
  balance bigint not null default 0,
  currency text not null default 'NGN'::text,
  sequence bigint not null default 0,
  version bigint not null default 0,
  created_at timestamp(3) with time zone not null default now(),
  updated_at timestamp(3) with time zone not null default now(),
  constraint wallets_balance_range CHECK (((balance >= 0) AND (balance <= '9007199254740991'::bigint))),
  constraint wallets_currency_known CHECK ((currency = 'NGN'::text)),
  constraint wallets_pk PRIMARY KEY (id),
  constraint wallets_sequence_range CHECK (((sequence >= 0) AND (sequence <= '9007199254740991'::bigint))),
  constraint wallets_user_fk FOREIGN KEY (user_id) REFERENCES users(id),
  constraint wallets_user_unique UNIQUE (user_id),
  constraint wallets_version_range CHECK (((version >= 0) AND (version <= '9007199254740991'::bigint)))
) with (fillfactor=50);

CREATE INDEX exports_by_expiry ON public.exports USING btree (expires_at) WHERE (status = 'succeeded'::export_status);

CREATE INDEX exports_by_wallet ON public.exports USING btree (wallet_id, created_at DESC, id DESC);

CREATE INDEX exports_unfinished ON public.exports USING btree (id) WHERE (status = ANY (ARRAY['queued'::export_status, 'running'::export_status]));

CREATE INDEX log_in_counts_by_expiry ON public.log_in_counts USING btree (expires_at);

CREATE UNIQUE INDEX orphaned_events_unique ON public.orphaned_events USING btree (partition, "offset", md5(COALESCE(payload, ''::text)));

CREATE INDEX refresh_tokens_by_session ON public.refresh_tokens USING btree (session_id);

CREATE INDEX security_events_by_time ON public.security_events USING btree (created_at);

CREATE INDEX security_events_by_user ON public.security_events USING btree (user_id, created_at);

CREATE INDEX sessions_by_user ON public.sessions USING btree (user_id);

CREATE INDEX transactions_by_entry ON public.transactions USING btree (wallet_id, entry, sequence);

CREATE UNIQUE INDEX users_email_unique ON public.users USING btree (lower(email));

CREATE TRIGGER cluster_adoptions_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.cluster_adoptions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER event_sources_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.event_sources FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER orphaned_events_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.orphaned_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER refusals_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.refusals FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER relay_resolutions_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.relay_resolutions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER security_events_append_only BEFORE UPDATE OR TRUNCATE ON public.security_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER security_events_kept BEFORE DELETE ON public.security_events FOR EACH ROW WHEN ((old.created_at > (now() - '90 days'::interval))) EXECUTE FUNCTION refuse_change();

CREATE TRIGGER transactions_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.transactions FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER users_ids_apart BEFORE INSERT ON public.users FOR EACH STATEMENT EXECUTE FUNCTION keep_ids_apart_before();
