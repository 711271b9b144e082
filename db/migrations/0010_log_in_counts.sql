-- Log-ins that failed of late, counted for all replicas: by account and network, by account, and by network.

create table log_in_counts (
  account      bytea, -- a keyed hash of the address of mail, whether anybody has it or not; null: any
  network      text, -- the address of the client, or the network that counts as one; null: any
  failures     integer not null,
  counts_until timestamptz(3) not null, -- from then on, there were none
  waits_until  timestamptz(3), -- until then no log-in is tried
  known_until  timestamptz(3), -- somebody has logged in to this account from this network
  expires_at   timestamptz(3) not null generated always as (greatest(counts_until, known_until)) stored,
  constraint log_in_counts_unique unique nulls not distinct (account, network),
  constraint log_in_counts_of_something check (account is not null or network is not null),
  constraint log_in_counts_pairs_wait check (account is not null and network is not null or waits_until is null and known_until is null),
  constraint log_in_counts_failures_positive check (failures >= 0),
  constraint log_in_counts_network_length check (char_length(network) <= 64)
);
create index log_in_counts_by_expiry on log_in_counts (expires_at);
