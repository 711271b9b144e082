# Stands in for apache/kafka where no image can be pulled: the same user, folders and variables, with the Kafka that
# `npm start` runs, on Debian with Java.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN useradd --uid 1000 --create-home --shell /bin/bash appuser \
    && install --directory --owner=appuser --group=appuser \
       /opt/kafka/config /opt/kafka/logs /var/lib/kafka/data /etc/kafka/secrets /mnt/shared/config
COPY jars /opt/kafka/libs
COPY kafka-log4j2.properties kafka-entrypoint.sh /etc/kafka/docker/
USER appuser
VOLUME ["/etc/kafka/secrets", "/var/lib/kafka/data", "/mnt/shared/config"]
EXPOSE 9092
CMD ["/etc/kafka/docker/kafka-entrypoint.sh"]
