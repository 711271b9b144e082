-- Which Kafka has the events: its cluster, and the topic's own id, which a topic that is deleted and created again does
-- not keep. Null until a relay has seen its receipts there. They do not raise the generation: no posting depends on them.
alter table topic
  add column kafka_cluster_id text,
  add column kafka_topic_id text;
