{{/* Helm reads a large number as a float; this writes it without an exponent. */}}
{{- define "streamledger.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- define "streamledger.databaseUrl" -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .key }}
{{- end }}

{{/* The key of a service's address: one for each service, unless one role has everything. Takes root and name. */}}
{{- define "streamledger.databaseKey" -}}
{{- $database := .root.Values.database }}
{{- ternary (index $database.roleKeys .name) $database.key $database.rolePerService }}
{{- end }}

{{/* The addresses whose roles the migration grants to. Optional, so that it can say which one is missing. */}}
{{- define "streamledger.grantsEnv" -}}
{{- range $name, $key := .Values.database.roleKeys }}
- name: {{ upper $name }}_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ $.Values.database.existingSecret }}
      key: {{ $key }}
      optional: true
{{- end }}
{{- end }}

{{/* Variables of every service. The ports are the same as in docker-compose.yml. Takes root, name and opsPort. */}}
{{- define "streamledger.serviceEnv" -}}
{{ include "streamledger.databaseUrl" (dict "existingSecret" .root.Values.database.existingSecret "key" (include "streamledger.databaseKey" .)) }}
- name: HOST
  value: 0.0.0.0
- name: OPS_PORT
  value: {{ .opsPort | quote }}
{{- if ne .name "audit" }}
- name: DRAIN_TIMEOUT_MS
  value: {{ include "streamledger.text" .root.Values.drainTimeoutMs | quote }}
{{- with .root.Values.tracing }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint }}
{{- if .existingSecret }}
- name: OTEL_EXPORTER_OTLP_HEADERS
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .headersKey }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "streamledger.installationEnv" -}}
- name: INSTALLATION_ID
  value: {{ .Values.installationId }}
- name: KAFKA_TOPIC
  value: {{ .Values.topic.name }}
- name: TOPIC_PARTITIONS
  value: {{ .Values.topic.partitions | quote }}
{{- end }}

{{- define "streamledger.brokersEnv" -}}
{{- with .Values.kafka }}
- name: KAFKA_BROKERS
  value: {{ join "," .brokers }}
{{- if .tls.enabled }}
- name: KAFKA_TLS
  value: "true"
{{- if .tls.caSecret }}
- name: KAFKA_TLS_CA_FILE
  value: /etc/streamledger/kafka/ca.crt
{{- end }}
{{- end }}
{{- if .sasl.mechanism }}
- name: KAFKA_SASL_MECHANISM
  value: {{ .sasl.mechanism }}
- name: KAFKA_SASL_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ .sasl.existingSecret }}
      key: {{ .sasl.usernameKey }}
- name: KAFKA_SASL_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .sasl.existingSecret }}
      key: {{ .sasl.passwordKey }}
{{- end }}
{{- end }}
{{- end }}

{{- define "streamledger.exportsEnv" -}}
- name: EXPORT_STORE
  value: {{ .Values.exports.store }}
- name: EXPORT_DIR
  value: /var/lib/streamledger/exports
{{- if eq .Values.exports.store "s3" }}
{{- with .Values.exports.s3 }}
- name: EXPORT_S3_BUCKET
  value: {{ .bucket }}
- name: EXPORT_S3_REGION
  value: {{ .region }}
{{- with .endpoint }}
- name: EXPORT_S3_ENDPOINT
  value: {{ . }}
{{- end }}
- name: EXPORT_S3_PATH_STYLE
  value: {{ .pathStyle | quote }}
{{- if .existingSecret }}
- name: EXPORT_S3_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .accessKeyIdKey }}
- name: EXPORT_S3_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .secretAccessKeyKey }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "streamledger.jwtEnv" -}}
- name: JWT_SECRET
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .key }}
{{- if .previousKey }}
- name: JWT_SECRET_PREVIOUS
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret }}
      key: {{ .previousKey }}
{{- end }}
{{- end }}

{{/* Variables from the values: those of a service override the shared ones. The audit reads no shared ones. Takes root and name. */}}
{{- define "streamledger.ownEnv" -}}
{{- $shared := ternary dict .root.Values.env (eq .name "audit") }}
{{- range $name, $value := merge dict (index .root.Values .name).env $shared }}
- name: {{ $name }}
  value: {{ include "streamledger.text" $value | quote }}
{{- end }}
{{- end }}
