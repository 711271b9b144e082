-- Since when the lanes of a relay fail at Kafka; null: they succeed. A relay of the release before leaves it null, and counts
-- as one that is well. A replica gives its partitions up only for another that is well.
alter table relay_instances add column failing_since timestamptz;
