import { constants, setPriority } from 'node:os'
import { createLogger, readConfig, runService } from '@streamledger/runtime'
import { loadExporterConfig } from './config.ts'
import { startExporter } from './exporter.ts'
import { keepHeapSmall } from './keep-heap-small.ts'

keepHeapSmall()
// On a machine that it shares, somebody waits for the API, and nobody for the last second of an export.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL)
const config = readConfig(loadExporterConfig)
const logger = createLogger({ service: 'exporter', level: config.logLevel })
await runService(logger, config.drainTimeoutMs, () => startExporter(config, logger))
