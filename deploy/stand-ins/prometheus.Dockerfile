# Stands in for prom/prometheus where no image can be pulled: the same user, folders and command, on Debian with Prometheus.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN install --directory --owner=nobody --group=nogroup /prometheus
USER nobody
VOLUME /prometheus
EXPOSE 9090
ENTRYPOINT ["/bin/prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
