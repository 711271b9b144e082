{{/* Checks that the schema cannot express. */}}
{{- define "streamledger.validate" -}}
{{- with .Values }}
{{- if and (eq .exports.store "s3") (not .exports.s3.bucket) }}
{{- fail "exports.s3.bucket: exports.store is s3, so name the bucket; or choose exports.store=folder, a volume that API and exporters share" }}
{{- end }}
{{- if gt (int .relay.autoscaling.maxReplicas) (int .topic.partitions) }}
{{- fail (printf "relay.autoscaling.maxReplicas: %d relays cannot share %d partitions (topic.partitions); 0 means as many as there are partitions" (int .relay.autoscaling.maxReplicas) (int .topic.partitions)) }}
{{- end }}
{{- if and (not .keda.enabled) (gt (int .relay.replicas) (int .topic.partitions)) }}
{{- fail (printf "relay.replicas: %d relays cannot share %d partitions (topic.partitions)" (int .relay.replicas) (int .topic.partitions)) }}
{{- end }}
{{- $relaysMax := int (.relay.autoscaling.maxReplicas | default .topic.partitions) }}
{{- range $name, $max := dict "api" (int .api.autoscaling.maxReplicas) "relay" $relaysMax "exporter" (int .exporter.autoscaling.maxReplicas) }}
{{- $min := int (index $.Values $name).autoscaling.minReplicas }}
{{- if gt $min $max }}
{{- fail (printf "%s.autoscaling: minReplicas is %d, and at most %d replicas are allowed" $name $min $max) }}
{{- end }}
{{- end }}
{{- if ge (int .api.drainDelayMs) (int .drainTimeoutMs) }}
{{- fail (printf "api.drainDelayMs: %d ms must be less than drainTimeoutMs, which is %d" (int .api.drainDelayMs) (int .drainTimeoutMs)) }}
{{- end }}
{{- if and .tracing.existingSecret (not .tracing.endpoint) }}
{{- fail "tracing.existingSecret: without tracing.endpoint nothing is traced, so the Secret would not be used" }}
{{- end }}
{{- if and .kafka.tls.caSecret (not .kafka.tls.enabled) }}
{{- fail "kafka.tls.caSecret: without kafka.tls.enabled no certificate is checked, so the Secret would not be used" }}
{{- end }}
{{- if ne (empty .kafka.sasl.mechanism) (empty .kafka.sasl.existingSecret) }}
{{- fail "kafka.sasl: a mechanism and existingSecret (with username and password) must be set together" }}
{{- end }}
{{- if and .ingress.enabled (not .ingress.hosts) }}
{{- fail "ingress.hosts: ingress.enabled needs a host" }}
{{- end }}
{{- if and .exports.folder.existingClaim (ne .exports.store "folder") }}
{{- fail "exports.folder.existingClaim: exports.store is not folder, so the claim would not be used" }}
{{- end }}
{{- end }}
{{- end }}
