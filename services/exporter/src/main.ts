#!/usr/bin/env -S node --expose-gc --max-semi-space-size=4 --heap-growing-percent=60
// With these flags V8 collects garbage sooner, which suits many short-lived rows: the young generation grows to eight megabytes, as a
// page of rows needs, and the old one is collected after it has grown by 60%. Measured when an exporter of 300,000 rows,
// without a database, set like limits itself while it ran: a peak of 130 MB instead of 260, for about a quarter more CPU time. Not
// measured with these flags.
import { createLogger, readConfig, runService } from '@streamledger/runtime'
import { loadExporterConfig } from './config.ts'
import { startExporter } from './exporter.ts'

const config = readConfig(loadExporterConfig)
const logger = createLogger({ service: 'exporter', level: config.logLevel })
await runService(logger, config.drainTimeoutMs, () => startExporter(config, logger))
