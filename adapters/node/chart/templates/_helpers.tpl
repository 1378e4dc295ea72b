{{- define "gateway.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end -}}
{{- end }}

{{- define "gateway.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gateway.labels" -}}
{{ include "gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The configuration in force: what the pod's shape decides, over the values. */}}
{{- define "gateway.config" -}}
{{- $fixed := dict "server" (dict "port" 8080 "host" "0.0.0.0") "database" (dict "path" "/data/gateway.db") -}}
{{- mergeOverwrite (deepCopy .Values.config) $fixed | toYaml -}}
{{- end }}

{{/* Refuses values with which limits would not hold or a database would be damaged. */}}
{{- define "gateway.check" -}}
{{- $server := dig "database" "url" "" .Values.config -}}
{{- if and (gt (int .Values.replicas) 1) (not $server) -}}
{{- fail "replicas: more than one cannot share an SQLite file. Set config.database.url to a libSQL server, or replicas to 1." -}}
{{- end -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- range $part := list "limits" "health" -}}
{{- if not (has (dig $part "store" "" $.Values.config) (list "redis" "database")) -}}
{{- fail (printf "config.%s.store: several replicas need redis or database, because each would count for itself." $part) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if lt (int .Values.replicas) 0 -}}{{- fail "replicas: at least 0 is expected." -}}{{- end -}}
{{- range $part := list "port" "host" -}}
{{- if hasKey (dig "server" (dict) $.Values.config) $part -}}
{{- fail (printf "config.server.%s is the chart's; see service.port." $part) -}}
{{- end -}}
{{- end -}}
{{- if dig "database" "path" "" .Values.config -}}{{- fail "config.database.path is the chart's: /data/gateway.db on the volume." -}}{{- end -}}
{{- end }}

{{- define "gateway.pod" -}}
metadata:
  labels:
    {{- include "gateway.labels" . | nindent 4 }}
  annotations:
    # A changed configuration restarts the pods.
    checksum/config: {{ include "gateway.config" . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 1000
    runAsGroup: 1000
    fsGroup: 1000
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: { type: RuntimeDefault }
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: gateway
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      ports:
        - { name: http, containerPort: 8080 }
      env:
        - { name: CONFIG_PATH, value: /config/config.yaml }
      envFrom:
        - secretRef: { name: {{ .Values.secretName }} }
      # A long migration may precede the first answer.
      startupProbe:
        httpGet: { path: /healthz, port: http }
        periodSeconds: 2
        failureThreshold: 150
      livenessProbe:
        httpGet: { path: /healthz, port: http }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      # Within server.drain_delay the endpoint has to go.
      readinessProbe:
        httpGet: { path: /readyz, port: http }
        periodSeconds: 2
        failureThreshold: 1
        timeoutSeconds: 2
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - { name: data, mountPath: /data }
        - { name: config, mountPath: /config, readOnly: true }
        - { name: tmp, mountPath: /tmp }
  volumes:
    - name: config
      configMap: { name: {{ include "gateway.name" . }} }
    - name: tmp
      emptyDir: {}
    {{- if not (dig "database" "url" "" .Values.config) }}
    - name: data
      persistentVolumeClaim: { claimName: {{ include "gateway.name" . }} }
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  affinity:
    {{- if .Values.affinity }}
    {{- toYaml .Values.affinity | nindent 4 }}
    {{- else }}
    # On different machines where that is possible.
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector:
              matchLabels:
                {{- include "gateway.selector" . | nindent 16 }}
    {{- end }}
{{- end }}

{{- define "gateway.claim" -}}
accessModes:
  {{- toYaml .Values.storage.accessModes | nindent 2 }}
{{- with .Values.storage.className }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests: { storage: {{ .Values.storage.size }} }
{{- end }}
