import { createLogger, keepHeapSmall, readConfig, runService } from '@streamledger/runtime'
import { loadExporterConfig } from './config.ts'
import { startExporter } from './exporter.ts'

keepHeapSmall()
const config = readConfig(loadExporterConfig)
const logger = createLogger({ service: 'exporter', level: config.logLevel })
await runService(logger, config.drainTimeoutMs, () => startExporter(config, logger))
