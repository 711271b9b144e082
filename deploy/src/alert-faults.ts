/** What docs/alerts.md says about an alert in addition to its rule. */
export interface AlertFault {
  /** Its expression in words. */
  when: string
  /** The fault by which a test raised it. */
  raisedBy: string
}

/** The faults that deploy/test/raised-alerts.long.ts causes: the test checks that it covers this list. */
export const SERVICE_FAULTS: Readonly<Record<string, AlertFault>> = {
  StreamledgerRequestsFail: {
    when: '1.44% of requests were answered 5xx in the last 5 minutes and in the last hour, or 0.6% in 30 minutes and in 6 hours; and at least ten requests failed in the hour',
    raisedBy: 'the API loses its connection to Postgres',
  },
  StreamledgerRequestsFailSlowly: {
    when: '0.3% of requests were answered 5xx in the last 2 hours and in the last day',
    raisedBy: 'the same',
  },
  StreamledgerPostingsSlow: {
    when: '14.4% of postings took longer than 250 ms in the last 5 minutes and in the last hour, or 6% in 30 minutes and in 6 hours; and there were at least ten postings in the hour',
    raisedBy: "another session of Postgres holds a wallet's row for longer than a posting waits",
  },
  StreamledgerPostingsSlowly: {
    when: '3% of postings took longer than 250 ms in the last 2 hours and in the last day',
    raisedBy: 'the same',
  },
  StreamledgerPartitionHalted: {
    when: 'a partition is halted',
    raisedBy:
      'a row in the outbox is newer than every transaction of the database, as after a restore: the relay halts the partition',
  },
  StreamledgerEventsLate: {
    when: "a partition's oldest row has waited in the outbox for more than a minute",
    raisedBy: 'the halted partition has a row that is an hour old',
  },
  StreamledgerEventsVeryLate: {
    when: "a partition's oldest row has waited in the outbox for more than 10 minutes",
    raisedBy: 'the same',
  },
  StreamledgerOutboxUnseen: {
    when: 'a relay runs, and no relay reports the outbox',
    raisedBy: 'the relay loses its connection to Postgres',
  },
  StreamledgerReceiptOld: {
    when: "a partition's receipt was last written more than 3 days ago",
    raisedBy: 'the last receipt of the halted partition is dated back by six and a half days',
  },
  StreamledgerReceiptNearlyExpired: {
    when: "a partition's receipt was last written more than 6 days ago",
    raisedBy: 'the same',
  },
  StreamledgerTopicPartitionsUnknown: {
    when: 'the topic has more partitions than the database posts to',
    raisedBy: "Kafka's own admin call gives the topic more partitions",
  },
  StreamledgerTopicSettingsUnsafe: {
    when: 'the topic is compacted, or accepts no batch of the largest size',
    raisedBy: "Kafka's own admin call sets the topic's cleanup.policy to compact",
  },
  StreamledgerAuditBehind: {
    when: 'the audit is more than 10 minutes behind',
    raisedBy: 'a posting to the halted partition waits in the outbox',
  },
  StreamledgerExportsContradictLedger: {
    when: 'an export failed with `rows_changed` or `balances_differ` in the last hour',
    raisedBy: 'an amount in the ledger is changed by hand, then an export is ordered',
  },
  StreamledgerExportsFail: {
    when: 'an export failed permanently in the last hour',
    raisedBy: 'the export folder is removed',
  },
  StreamledgerExportsWait: {
    when: 'the oldest waiting export has been due for more than 10 minutes, or no exporter reaches Postgres',
    raisedBy: 'the queue of a job is locked by a worker that does not exist, and the job has been due for 20 minutes',
  },
  StreamledgerPoolExhausted: {
    when: 'a request waited for a connection of a pool at every scrape for 5 minutes, and at five scrapes at least',
    raisedBy: 'another Postgres session locks the table of exports while eight clients list their exports',
  },
  StreamledgerSpansLost: {
    when: "a tenth of a service's spans were refused by the collector, or dropped before",
    raisedBy: 'the collector refuses the spans',
  },
  StreamledgerLogLinesDropped: {
    when: 'a process dropped lines of its log in the last hour, because they could not be written',
    raisedBy: "the reader of the relay's log goes away",
  },
  StreamledgerProcessDown: {
    when: 'a process does not answer Prometheus',
    raisedBy: 'the relay is killed',
  },
  StreamledgerServiceDown: {
    when: 'no process of a service (API, relay or exporter) answers, or Prometheus has no target for it',
    raisedBy: 'the same: it was the only relay',
  },
}

/** The faults that deploy/test/raised-audit-alerts.long.ts causes: the test checks that it covers this list. */
export const AUDIT_FAULTS: Readonly<Record<string, AlertFault>> = {
  StreamledgerAuditFindings: {
    when: 'the audit has counted a missing, doubled, foreign, mismatched or out-of-order event in the last hour',
    raisedBy:
      'waiting outbox rows are deleted (missing), changed (mismatched) and swapped (out of order); another program writes an event again (doubled), and an event without a transaction (foreign)',
  },
  StreamledgerAuditReset: {
    when: 'the audit began anew in the last hour',
    raisedBy: 'the audit is stopped, and the records of the topic are deleted before it has read them',
  },
  StreamledgerAuditStalled: {
    when: 'the audit has not completed a round for 2 minutes, or is gone (for a day)',
    raisedBy: 'the audit loses its connection to Postgres',
  },
}
