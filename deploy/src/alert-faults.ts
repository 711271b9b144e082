/** What a table tells of an alert beside its rule. */
export interface AlertFault {
  /** Its expression in words. */
  when: string
  /** The fault by which a test raised it. */
  raisedBy: string
}

/** Raised by deploy/test/raised-alerts.test.ts, which holds itself to this list. */
export const SERVICE_FAULTS: Readonly<Record<string, AlertFault>> = {
  StreamledgerRequestsFail: {
    when: '1.44% of requests were answered 5xx in the last 5 minutes and in the last hour, or 0.6% in 30 minutes and in 6 hours; and ten of them at least in the hour',
    raisedBy: 'the API loses its way to Postgres',
  },
  StreamledgerRequestsFailSlowly: {
    when: '0.3% of requests were answered 5xx in the last 2 hours and in the last day',
    raisedBy: 'the same',
  },
  StreamledgerPostingsSlow: {
    when: '14.4% of postings took longer than 250 ms in the last 5 minutes and in the last hour, or 6% in 30 minutes and in 6 hours; and there were ten postings at least in the hour',
    raisedBy: "another session of Postgres holds a wallet's row for longer than a posting waits",
  },
  StreamledgerPostingsSlowly: {
    when: '3% of postings took longer than 250 ms in the last 2 hours and in the last day',
    raisedBy: 'the same',
  },
  StreamledgerPartitionHalted: {
    when: 'a partition is halted',
    raisedBy:
      'a row in the outbox that is newer than every transaction of the database, as after a restore: the relay halts by itself',
  },
  StreamledgerEventsLate: {
    when: "a partition's oldest row has waited in the outbox for more than a minute",
    raisedBy: 'the halted partition, with a row of an hour ago',
  },
  StreamledgerEventsVeryLate: {
    when: "a partition's oldest row has waited in the outbox for more than 10 minutes",
    raisedBy: 'the same',
  },
  StreamledgerOutboxUnseen: {
    when: 'a relay runs, and none tells of the outbox',
    raisedBy: 'the relay loses its way to Postgres',
  },
  StreamledgerReceiptOld: {
    when: "a partition's receipt was last written more than 3 days ago",
    raisedBy: 'the halted partition, whose last receipt is set back by six and a half days',
  },
  StreamledgerReceiptNearlyExpired: {
    when: "a partition's receipt was last written more than 6 days ago",
    raisedBy: 'the same',
  },
  StreamledgerTopicPartitionsUnknown: {
    when: 'the topic has more partitions than the database posts to',
    raisedBy: "Kafka's own admin call gives the topic more partitions",
  },
  StreamledgerAuditBehind: {
    when: 'the audit has judged nothing that was posted in the last 10 minutes',
    raisedBy: 'a posting to the halted partition, which waits in the outbox',
  },
  StreamledgerExportsContradictLedger: {
    when: 'an export failed with `rows_changed` or `balances_differ` in the last hour',
    raisedBy: 'an amount in the ledger is changed by hand, and an export ordered',
  },
  StreamledgerExportsFail: {
    when: 'an export failed for good in the last hour',
    raisedBy: 'the folder of the exports is removed',
  },
  StreamledgerExportsWait: {
    when: 'the oldest export that no exporter has taken has been due for more than 10 minutes, or no exporter can tell, as none reaches Postgres',
    raisedBy: "a job's queue is left locked by nobody, and the job has been due for 20 minutes",
  },
  StreamledgerPoolExhausted: {
    when: 'somebody waited for a connection of a pool at every scrape of 5 minutes, five at least',
    raisedBy: 'another session of Postgres locks the table of exports, and eight clients list theirs',
  },
  StreamledgerSpansLost: {
    when: "a tenth of a service's spans were not taken by the collector, or dropped before",
    raisedBy: 'the collector of traces refuses them',
  },
  StreamledgerProcessDown: {
    when: 'a process does not answer Prometheus',
    raisedBy: 'the relay is killed',
  },
  StreamledgerServiceDown: {
    when: 'no process of API, relay or exporter answers, or Prometheus does not know of any',
    raisedBy: 'the same, as it was the only one',
  },
}

/** Raised by deploy/test/raised-audit-alerts.test.ts, which holds itself to this list. */
export const AUDIT_FAULTS: Readonly<Record<string, AlertFault>> = {
  StreamledgerAuditFindings: {
    when: 'the audit has counted something missing, doubled, foreign, mismatched or out of order in the last hour',
    raisedBy:
      'rows that wait in the outbox are deleted (missing), changed (mismatched) and swapped (out of order); another program writes an event again (doubled), and one of no transaction (foreign)',
  },
  StreamledgerAuditReset: {
    when: 'the audit had to begin anew in the last hour',
    raisedBy: "the topic's records are deleted before the audit, which is stopped for a while, has read them",
  },
  StreamledgerAuditStalled: {
    when: 'the audit has not read Kafka and Postgres to the end of a round for 2 minutes, or is gone (for a day)',
    raisedBy: 'it loses its way to Postgres',
  },
}
