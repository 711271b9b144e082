{{- define "streamledger.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 45 of the 63 characters of a name: the rest is for suffixes such as `-exporter-ops`, the digest of a StatefulSet, and KEDA's `keda-hpa-`. */}}
{{- define "streamledger.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" }}
{{- else if contains (include "streamledger.name" .) .Release.Name }}
{{- .Release.Name | trunc 45 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "streamledger.name" .) | trunc 45 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The labels by which a Deployment selects its pods. Kubernetes does not allow to change them. Takes root and name. */}}
{{- define "streamledger.selectorLabels" -}}
app.kubernetes.io/name: {{ include "streamledger.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "streamledger.labels" -}}
{{ include "streamledger.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | replace "+" "_" | quote }}
app.kubernetes.io/part-of: streamledger
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "streamledger.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* Takes root and name. */}}
{{- define "streamledger.serviceAccountName" -}}
{{- $account := (index .root.Values .name).serviceAccount }}
{{- if $account.create }}
{{- $account.name | default (printf "%s-%s" (include "streamledger.fullname" .root) .name) }}
{{- else }}
{{- $account.name | default "default" }}
{{- end }}
{{- end }}

{{/* The services of this release, in order. */}}
{{- define "streamledger.services" -}}
api relay exporter{{ if .Values.audit.enabled }} audit{{ end }}
{{- end }}

{{- define "streamledger.exportsClaim" -}}
{{- .Values.exports.folder.existingClaim | default (printf "%s-exports" (include "streamledger.fullname" .)) }}
{{- end }}

{{/* Mounts of every container: temporary files, and the authority of the database's certificate. */}}
{{- define "streamledger.commonMounts" -}}
- { name: tmp, mountPath: /tmp }
{{- if .Values.database.caSecret }}
- { name: database-ca, mountPath: /etc/streamledger/database, readOnly: true }
{{- end }}
{{- end }}

{{- define "streamledger.commonVolumes" -}}
- name: tmp
  emptyDir: { sizeLimit: 64Mi }
{{- with .Values.database.caSecret }}
- name: database-ca
  secret: { secretName: {{ . }}, items: [{ key: ca.crt, path: ca.crt }] }
{{- end }}
{{- end }}

{{/* The authority of the brokers' certificates, for containers that connect to Kafka. */}}
{{- define "streamledger.kafkaMount" -}}
{{- if .Values.kafka.tls.caSecret }}
- { name: kafka-ca, mountPath: /etc/streamledger/kafka, readOnly: true }
{{- end }}
{{- end }}

{{- define "streamledger.kafkaVolume" -}}
{{- with .Values.kafka.tls.caSecret }}
- name: kafka-ca
  secret: { secretName: {{ . }}, items: [{ key: ca.crt, path: ca.crt }] }
{{- end }}
{{- end }}

{{/* No container runs as root, has capabilities, or can write outside of its volumes. */}}
{{- define "streamledger.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "streamledger.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}
