-- People, their one wallet each, and the refresh tokens that keep them signed in.

create table users (
  id         bigint generated always as identity,
  first_name text not null,
  last_name  text not null,
  email      text not null,
  password   text not null, -- an argon2id hash in PHC format, never the password
  created_at timestamptz(3) not null default now(),
  constraint users_pk primary key (id),
  constraint users_first_name_length check (char_length(first_name) between 1 and 100),
  constraint users_last_name_length check (char_length(last_name) between 1 and 100),
  constraint users_email_length check (octet_length(email) <= 254)
);
-- One account per address, whatever its letter case.
create unique index users_email_unique on users (lower(email));

create table wallets (
  id         bigint generated always as identity,
  user_id    bigint not null,
  balance    bigint not null default 0, -- integer kobo; the range is what a JavaScript number holds exactly
  currency   text not null default 'NGN',
  sequence   bigint not null default 0, -- of the wallet's last transaction: 1, 2, 3 … without a gap
  version    bigint not null default 0, -- raised by every write that concerns the wallet, a refusal included
  created_at timestamptz(3) not null default now(),
  updated_at timestamptz(3) not null default now(),
  constraint wallets_pk primary key (id),
  constraint wallets_user_unique unique (user_id),
  constraint wallets_user_fk foreign key (user_id) references users (id),
  constraint wallets_balance_range check (balance between 0 and 9007199254740991),
  constraint wallets_sequence_range check (sequence between 0 and 9007199254740991),
  constraint wallets_version_range check (version between 0 and 9007199254740991),
  constraint wallets_currency_known check (currency = 'NGN')
) with (fillfactor = 50); -- room on the page for the next version of the row: a posting never touches an index

-- A family: one log-in and every refresh token that descends from it.
create table sessions (
  id         uuid not null,
  user_id    bigint not null,
  created_at timestamptz(3) not null default now(),
  revoked_at timestamptz(3),
  constraint sessions_pk primary key (id),
  constraint sessions_user_fk foreign key (user_id) references users (id)
);
create index sessions_by_user on sessions (user_id);

create table refresh_tokens (
  hash       bytea not null, -- SHA-256 of the token: a stolen table signs nobody in
  session_id uuid not null,
  created_at timestamptz(3) not null default now(),
  expires_at timestamptz(3) not null,
  used_at    timestamptz(3), -- a token is exchanged once; seen again, it is a theft or a lost answer
  constraint refresh_tokens_pk primary key (hash),
  constraint refresh_tokens_session_fk foreign key (session_id) references sessions (id) on delete cascade,
  constraint refresh_tokens_hash_length check (octet_length(hash) = 32)
);
create index refresh_tokens_by_session on refresh_tokens (session_id);
