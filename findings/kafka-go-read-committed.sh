#!/usr/bin/env bash
# Library: github.com/segmentio/kafka-go v0.4.50, Reader with IsolationLevel ReadCommitted. Broker: Kafka 4.2.2.
# Behaviour: the reader delivers aborted records, and the markers that end transactions, as messages.
# Guess before the run: a read_committed consumer never delivers an aborted record, as the Java client.
# Cause: readFetchResponseHeaderV10 (read.go) reads the list of aborted transactions and drops it. messageSetReader
#   (message_reader.go: readHeader, readMessageV2) does not look at the control bit of a batch.
# Seen (key: is the key of a marker; the records have no key):
#   Java client, read_committed:    committed-1 committed-2
#   kafka-go 0.4.50, ReadCommitted: committed-1 key:00000001 aborted-1 key:00000000 aborted-2 key:00000000 committed-2
# Needs a JDK (17 or later), Maven and Go. Ends with 0 if the behaviour is as stated, otherwise with 1.
set -euo pipefail

folder=$(mktemp -d)
broker=
cleanup() { # Without an orderly stop, because the data of the broker is thrown away.
  [ -z "$broker" ] || kill -KILL "$broker" || true
  wait 2>/dev/null
  rm -rf "$folder"
}
trap cleanup EXIT
cd "$folder"

# run OUTPUT COMMAND: runs it for at most 15 minutes, and ends the script when it fails.
run() {
  timeout 900 "${@:2}" >"$1" 2>"$1.err" || { echo "FAILED: ${*:2}"; tail -n 20 "$1" "$1.err"; exit 1; }
}
changed() { echo "CHANGED: $1"; exit 1; }

# free_port BASE: below 32768, where ports for outgoing connections begin.
free_port() {
  local port
  for _ in {1..50}; do
    port=$(($1 + RANDOM % 6000))
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

cat >pom.xml <<'XML'
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies><dependency>
    <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.2.2</version>
  </dependency></dependencies>
</project>
XML
run maven.log mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy-dependencies -DoutputDirectory=jars
run go.log go mod init finding
run go.log go get github.com/segmentio/kafka-go@v0.4.50

port=$(free_port 20000) controller=$(free_port 26000)
cat >server.properties <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
controller.listener.names=CONTROLLER
log.dirs=$PWD/data
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
PROPERTIES
java=(java -Xmx512m -cp 'jars/*')
run format.log "${java[@]}" kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAfindA -c server.properties
"${java[@]}" kafka.Kafka server.properties >broker.log 2>&1 &
broker=$!

# Writes the records as soon as the broker answers, and reads them with the Java client, as a control.
cat >Scenario.java <<'JAVA'
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;
class Scenario {
  public static void main(String[] args) throws Exception {
    Map<String, Object> settings = Map.of("bootstrap.servers", args[0], "transactional.id", "finding",
        "max.block.ms", 600_000, "isolation.level", "read_committed", "auto.offset.reset", "earliest");
    var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer());
    producer.initTransactions();
    for (var value : List.of("committed-1", "aborted-1", "aborted-2", "committed-2")) {
      producer.beginTransaction();
      producer.send(new ProducerRecord<String, String>("records", value)).get();
      if (value.startsWith("aborted")) producer.abortTransaction(); else producer.commitTransaction();
    }
    var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    consumer.assign(List.of(new TopicPartition("records", 0)));
    for (var last = ""; !last.equals("committed-2");)
      for (var record : consumer.poll(Duration.ofSeconds(1))) System.out.println(last = record.value());
  }
}
JAVA
run control "${java[@]}" Scenario.java "127.0.0.1:$port"

cat >read.go <<'GO'
package main
import ("context"; "fmt"; "os"; "github.com/segmentio/kafka-go")
func main() {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: os.Args[1:], Topic: "records", IsolationLevel: kafka.ReadCommitted,
	})
	for value := ""; value != "committed-2"; {
		message, err := reader.ReadMessage(context.Background())
		if err != nil { panic(err) }
		value = string(message.Value)
		if len(message.Key) > 0 { value = fmt.Sprintf("key:%x", message.Key) }
		fmt.Println(value)
	}
}
GO
run build.log go build -o read read.go
run library ./read "127.0.0.1:$port"
control=$(xargs <control) library=$(xargs <library)
echo "Java client, read_committed:    $control"
echo "kafka-go 0.4.50, ReadCommitted: $library"
[ "$control" = 'committed-1 committed-2' ] || changed 'The control delivers other records.'
# Only markers have a key here. It is two numbers of two bytes: version 0, then 0 for an abort or 1 for a commit.
stated='committed-1 key:00000001 aborted-1 key:00000000 aborted-2 key:00000000 committed-2'
[ "$library" = "$stated" ] || changed 'The library delivers other messages now.'
echo 'As stated: aborted records and transaction markers are delivered.'
