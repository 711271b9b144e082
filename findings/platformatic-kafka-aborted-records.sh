#!/usr/bin/env bash
# Library: @platformatic/kafka 2.12.1 (npm), isolation level READ_COMMITTED, which is its default. Broker: Kafka 4.2.2.
# Behaviour: one producer aborts two transactions, and one fetch returns both. The consumer hides the record of the
#   second one, but delivers the record of the first one.
# Guess before the run: a read_committed consumer never delivers an aborted record, as the Java client.
# Cause: #filterUncommittedMessages in dist/clients/consumer/consumer.js. The broker lists each aborted transaction, but
#   the function keeps one range of offsets per producer id, so the last transaction of the list replaces the others.
# Seen:
#   Java client, read_committed:                committed-1 committed-2
#   @platformatic/kafka 2.12.1, READ_COMMITTED: committed-1 aborted-1 committed-2
# Needs a JDK (17 or later), Maven and npm. Ends with 0 if the behaviour is as stated, otherwise with 1.
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
# The library asks for Node 22.22 or later, so the script brings its own Node.
run npm.log npm install --no-audit --no-fund node@26.10.0 @platformatic/kafka@2.12.1

port=$(free_port 20000) controller=$(free_port 26000)
cat >server.properties <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
controller.listener.names=CONTROLLER
log.dirs=$PWD/data
offsets.topic.replication.factor=1
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

cat >read.mjs <<'JS'
import { Consumer, FetchIsolationLevels, stringDeserializers } from '@platformatic/kafka'
const consumer = new Consumer({
  clientId: 'finding',
  groupId: 'finding',
  bootstrapBrokers: [process.argv[2]],
  deserializers: stringDeserializers,
  isolationLevel: FetchIsolationLevels.READ_COMMITTED,
})
const stream = await consumer.consume({ topics: ['records'], mode: 'earliest', autocommit: false })
for await (const { value } of stream) {
  console.log(value)
  if (value === 'committed-2') process.exit()
}
JS
run library node_modules/.bin/node read.mjs "127.0.0.1:$port"
control=$(xargs <control) library=$(xargs <library)
echo "Java client, read_committed:                $control"
echo "@platformatic/kafka 2.12.1, READ_COMMITTED: $library"
[ "$control" = 'committed-1 committed-2' ] || changed 'The control delivers other records.'
[ "$library" = 'committed-1 aborted-1 committed-2' ] || changed 'The library delivers other messages now.'
echo 'As stated: the record of the first aborted transaction is delivered.'
