{{/*
The pod of a service. Takes root, name, args, opsPort, env (text), port (API only), mounts and volumes (text, in addition to the
common ones).
*/}}
{{- define "streamledger.pod" -}}
{{- $own := index .root.Values .name }}
metadata:
  labels:
    {{- include "streamledger.labels" . | nindent 4 }}
    {{- with $own.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $own.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "streamledger.serviceAccountName" . }}
  # No container uses the Kubernetes API.
  automountServiceAccountToken: false
  # Otherwise a Service with the name `ops` or `kafka` would set variables here.
  enableServiceLinks: false
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  # Longer than DRAIN_TIMEOUT_MS, so that a service is not killed while it drains.
  terminationGracePeriodSeconds: {{ add (divf .root.Values.drainTimeoutMs 1000 | ceil) 5 }}
  securityContext:
    {{- include "streamledger.podSecurity" . | nindent 4 }}
  containers:
    - name: {{ .name }}
      image: {{ include "streamledger.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: {{ .args | toJson }}
      ports:
        {{- with .port }}
        - { name: http, containerPort: {{ . }} }
        {{- end }}
        - { name: ops, containerPort: {{ .opsPort }} }
      env:
        {{- include "streamledger.serviceEnv" . | nindent 8 }}
        {{- .env | nindent 8 }}
        {{- include "streamledger.ownEnv" . | nindent 8 }}
      # The ops port answers before the database does, so this waits only for Node.
      startupProbe:
        httpGet: { path: /health/live, port: ops }
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 30
      # Checks only that the event loop runs: a restart does not help if the database is down.
      livenessProbe:
        httpGet: { path: /health/live, port: ops }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      # Started and not draining. Two failures in a row: one long turn of the event loop must not remove the replica.
      readinessProbe:
        httpGet: { path: /health/ready, port: ops }
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      resources:
        {{- toYaml $own.resources | nindent 8 }}
      securityContext:
        {{- include "streamledger.containerSecurity" . | nindent 8 }}
      volumeMounts:
        {{- include "streamledger.commonMounts" .root | nindent 8 }}
        {{- with .mounts }}
        {{- . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "streamledger.commonVolumes" .root | nindent 4 }}
    {{- with .volumes }}
    {{- . | nindent 4 }}
    {{- end }}
  {{- if not (eq .name "audit") }}
  topologySpreadConstraints:
    {{- with $own.topologySpreadConstraints }}
    {{- toYaml . | nindent 4 }}
    {{- else }}
    {{- $selector := include "streamledger.selectorLabels" . }}
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      # Counts only replicas of the same release, not those that are being replaced.
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- $selector | nindent 10 }}
    {{- end }}
    {{- end }}
  {{- end }}
  {{- with $own.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $own.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* A Deployment of that pod. Takes the same as the pod, and scaled: whether an autoscaler sets the replicas. */}}
{{- define "streamledger.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "streamledger.fullname" .root }}-{{ .name }}
  labels:
    {{- include "streamledger.labels" . | nindent 4 }}
spec:
  {{- if not .scaled }}
  replicas: {{ (index .root.Values .name).replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  # A new pod is ready before an old one ends.
  strategy:
    type: RollingUpdate
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
  selector:
    matchLabels:
      {{- include "streamledger.selectorLabels" . | nindent 6 }}
  template:
    {{- include "streamledger.pod" . | nindent 4 }}
{{- end }}

{{/* The folder of the exports: shared, or with S3 the drafts of the exporter. The API needs only the shared one. */}}
{{- define "streamledger.exportsMount" -}}
- { name: exports, mountPath: /var/lib/streamledger/exports }
{{- end }}

{{- define "streamledger.exportsVolume" -}}
- name: exports
  {{- if eq .Values.exports.store "folder" }}
  persistentVolumeClaim: { claimName: {{ include "streamledger.exportsClaim" . }} }
  {{- else }}
  emptyDir: { sizeLimit: {{ .Values.exports.s3.draftsSizeLimit }} }
  {{- end }}
{{- end }}
