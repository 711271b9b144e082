-- What happened to accounts and to their data, for whoever looks into a theft: written in the commit that it is about.

create type security_event_kind as enum (
  'signed_up', 'logged_in', 'log_in_failed', 'log_in_limited', 'refreshed', 'refresh_refused', 'refresh_reused',
  'logged_out', 'export_downloaded'
);

create table security_events (
  id         bigint generated always as identity,
  created_at timestamptz(3) not null default now(),
  user_id    bigint, -- null where nobody is known; no foreign key: what happened to an account outlives it
  subject    uuid, -- the session, or the export that was downloaded
  request_id uuid not null, -- as in the log and in the answer
  kind       security_event_kind not null,
  address    text not null, -- of the client, as the API sees it
  user_agent text,
  constraint security_events_pk primary key (id),
  constraint security_events_address_length check (char_length(address) <= 64),
  constraint security_events_user_agent_length check (char_length(user_agent) <= 200)
);
create index security_events_by_user on security_events (user_id, created_at);
create index security_events_by_time on security_events (created_at);

create trigger security_events_append_only before update or truncate on security_events
  for each statement execute function refuse_change();
-- The retention may take what is old, and nobody, by whatever mistake, what is not: the configuration cannot go below it.
create trigger security_events_kept before delete on security_events
  for each row when (old.created_at > now() - interval '90 days') execute function refuse_change();
