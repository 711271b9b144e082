package streamledger;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Reads the events with Kafka's own client and checks that each wallet's `sequence` rises by one. With --once it stops
 * at the end that the topic has, otherwise on Ctrl-C. Exit code: 0 no fault, 1 events were missing, duplicated or out of
 * order.
 */
public class TransactionsConsumer {
  private static String env(String name, String otherwise) {
    return System.getenv().getOrDefault(name, otherwise);
  }

  public static void main(String[] args) throws IOException {
    var once = List.of(args).contains("--once");
    var file = Path.of(env("STATE_FILE", "java-progress.json"));
    var progress = Progress.load(file);
    Map<String, Object> config = Map.of(
        "bootstrap.servers", env("KAFKA_BROKERS", "127.0.0.1:19092"),
        "group.id", env("GROUP_ID", "example-java"),
        "isolation.level", "read_committed", // the default is read_uncommitted
        "enable.auto.commit", false,
        "auto.offset.reset", "earliest");
    var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    var main = Thread.currentThread();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> endInOrder(consumer, main))); // Ctrl-C, SIGTERM
    try (consumer) {
      consumer.subscribe(List.of(env("KAFKA_TOPIC", "transactions")), beginWhereWeStand(consumer, progress));
      do {
        for (var record : consumer.poll(Duration.ofMillis(500))) {
          progress.take(record.partition(), record.offset(), record.value()).ifPresent(System.out::println);
        }
        progress.save(file); // first result and position, then the offset: after a crash in between, events are delivered again
        consumer.commitSync();
      } while (!once || !isAtEnd(consumer));
    } catch (WakeupException stopped) {
      // Woken by the shutdown hook.
    }
    System.out.println(progress.events + " events, " + progress.faults + " faults");
    Runtime.getRuntime().halt(progress.faults > 0 ? 1 : 0);
  }

  private static boolean isAtEnd(KafkaConsumer<?, ?> consumer) {
    var ends = consumer.endOffsets(consumer.assignment()); // for read_committed, the last stable offsets
    return !ends.isEmpty()
        && ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
  }

  /** The next offsets come from our own file; the group's offsets may be older. */
  private static ConsumerRebalanceListener beginWhereWeStand(KafkaConsumer<?, ?> consumer, Progress progress) {
    return new ConsumerRebalanceListener() {
      @Override
      public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        for (var partition : partitions) {
          var next = progress.next.get(partition.partition());
          if (next != null) consumer.seek(partition, next);
        }
      }

      @Override
      public void onPartitionsRevoked(Collection<TopicPartition> partitions) {}
    };
  }

  private static void endInOrder(KafkaConsumer<?, ?> consumer, Thread main) {
    consumer.wakeup();
    try {
      main.join();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
