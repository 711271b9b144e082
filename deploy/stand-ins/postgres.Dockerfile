# Stands in for postgres:18 where no image can be pulled: the same user, folders, variables and programs, with the
# PostgreSQL that `npm start` runs, on Debian with the client programs.
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN groupadd --system --gid 999 postgres \
    && useradd --system --uid 999 --gid postgres --home-dir /var/lib/postgresql --shell /bin/bash postgres \
    && install --directory --owner=postgres --group=postgres --mode=1777 /var/lib/postgresql \
    && install --directory --owner=postgres --group=postgres --mode=3777 /var/run/postgresql
COPY native /usr/local/lib/postgresql
COPY postgres-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/local/lib/postgresql/bin:$PATH PGDATA=/var/lib/postgresql/18/docker
VOLUME /var/lib/postgresql
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["postgres"]
