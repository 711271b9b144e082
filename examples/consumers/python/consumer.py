"""Reads the events with confluent-kafka and checks that each wallet's `sequence` rises by one.

python consumer.py           follows the topic until Ctrl-C
python consumer.py --once    stops at the end that the topic has now
Exit code: 0 no fault, 1 events were missing, duplicated or out of order.
"""

import json
import os
import signal
import sys

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from progress import Progress

TOPIC = os.environ.get("KAFKA_TOPIC", "transactions")
ONCE = "--once" in sys.argv

progress = Progress(os.environ.get("STATE_FILE", "python-progress.json"))
consumer = Consumer(
    {
        "bootstrap.servers": os.environ.get("KAFKA_BROKERS", "127.0.0.1:19092"),
        "group.id": os.environ.get("GROUP_ID", "example-python"),
        # The default of librdkafka, but set explicitly, because everything depends on it.
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": ONCE,
    }
)
running = True
unread: set[int] = set()


def stop(*_: object) -> None:
    global running
    running = False


def begin_where_we_stand(_: Consumer, partitions: list[TopicPartition]) -> None:
    """The next offsets come from our own file; the group's offsets may be older."""
    for place in partitions:
        place.offset = progress.next.get(str(place.partition), OFFSET_BEGINNING)
        unread.add(place.partition)
    consumer.assign(partitions)


signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
consumer.subscribe([TOPIC], on_assign=begin_where_we_stand)
while running:
    positions: dict[int, int] = {}
    for message in consumer.consume(num_messages=500, timeout=0.5):
        error = message.error()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            unread.discard(message.partition())
            running = running and len(unread) > 0
            continue
        fault = progress.take(message.partition(), message.offset(), json.loads(message.value()))
        positions[message.partition()] = message.offset() + 1
        if fault is not None:
            print(fault, flush=True)
    if positions:
        progress.save()  # first result and position, then the offset: after a crash in between, events are delivered again
        offsets = [TopicPartition(TOPIC, partition, offset) for partition, offset in positions.items()]
        consumer.commit(offsets=offsets, asynchronous=False)
consumer.close()
print(f"{progress.events} events, {progress.faults} faults", flush=True)
sys.exit(1 if progress.faults else 0)
