-- An id that was handed out is not handed out again by a Postgres that has forgotten it: one that was restored to an older
-- state, or a standby that took over and lacked the end. Each begins a timeline that no other had, and has ids of its own.

create function current_timeline() returns bigint language sql as $$
  select ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint
$$;

alter table installation add column timeline bigint not null default current_timeline();

-- Called before ids are drawn. Those of a timeline begin at its number times the range, so also what was restored twice from
-- the same backup has different ones each time. The margin counts where a timeline has used up its range; there are 2^53 ids.
create function keep_ids_apart() returns void language plpgsql as $$
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
$$;

-- A token names its user by the id. Before the statement: then the row's own id is not drawn yet.
create function keep_ids_apart_before() returns trigger language plpgsql as $$
begin
  perform keep_ids_apart();
  return null;
end
$$;
create trigger users_ids_apart before insert on users for each statement execute function keep_ids_apart_before();
