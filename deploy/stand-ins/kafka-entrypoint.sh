#!/bin/bash
# Behaves like the official image, as far as this repository needs it: writes each KAFKA_<NAME> as a line of
# server.properties (one underscore becomes a dot, two an underscore, three a dash), formats an empty log folder, and runs the
# broker.
set -euo pipefail

properties=/opt/kafka/config/server.properties
not_settings='^KAFKA_(HEAP_OPTS|OPTS|JMX_OPTS|JVM_PERFORMANCE_OPTS|GC_LOG_OPTS|LOG4J_OPTS|LOG4J_ROOT_LOGLEVEL|LOG4J_LOGGERS)='
env | grep '^KAFKA_' | grep --extended-regexp --invert-match "$not_settings" | while IFS='=' read -r name value; do
  name=${name#KAFKA_}
  name=${name,,}
  name=${name//_/.}
  name=${name//.../-}
  echo "${name//../_}=$value"
done >"$properties"

# Split at spaces, as in the official image.
read -ra options <<<"${KAFKA_HEAP_OPTS:--Xmx1G -Xms1G} ${KAFKA_OPTS:-}"
run=(java "${options[@]}" -Dlog4j2.configurationFile=/etc/kafka/docker/kafka-log4j2.properties -cp '/opt/kafka/libs/*')
cluster=${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}
"${run[@]}" kafka.tools.StorageTool format --ignore-formatted --cluster-id="$cluster" --config="$properties"
exec "${run[@]}" kafka.Kafka "$properties"
