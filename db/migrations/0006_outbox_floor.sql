-- Where the relay's look at a partition begins: past rows that are published and deleted, and whose index entries are not
-- vacuumed yet. Rows commit out of order, so "all up to this id is published" has to be proved; see docs/decisions.

-- An id is drawn by a transaction that has its transaction id already. Were it the other way round, for that moment no
-- snapshot would show that somebody has an id and is yet to commit its row.
lock table outbox in access exclusive mode;
create sequence outbox_ids as bigint cache 1; -- a session that drew ids ahead would use them later than all others
select setval('outbox_ids', last_value, is_called) from outbox_id_seq;
alter table outbox alter column id drop identity;
alter table outbox alter column id set default case when pg_current_xact_id() is not null then nextval('outbox_ids') end;
alter sequence outbox_ids owned by outbox.id;

alter table relay_partitions
  add column floor_id bigint not null default 0, -- at or below it there is no row that is still to be published
  add column floor_next_id bigint, -- the highest id that was drawn when the transaction floor_next_xid had no id of its own yet
  add column floor_next_xid xid8, -- once it is older than all that run, no row at or below floor_next_id can come any more
  add constraint relay_partitions_floor_next_whole check (num_nulls(floor_next_id, floor_next_xid) in (0, 2));
