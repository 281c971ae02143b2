{{- define "finetune-operator.name" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "finetune-operator.selectorLabels" -}}
app.kubernetes.io/name: finetune-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "finetune-operator.labels" -}}
{{ include "finetune-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: operator
app.kubernetes.io/part-of: finetune-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "finetune-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "finetune-operator.name" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* An image's reference; a dict of image (one of .Values.image) and appVersion. */ -}}
{{- define "finetune-operator.image" -}}
{{- if .image.reference -}}
{{- .image.reference -}}
{{- else if .image.digest -}}
{{- printf "%s@%s" .image.repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" .image.repository (default .appVersion .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "finetune-operator.operatorImage" -}}
{{- include "finetune-operator.image" (dict "image" .Values.image.operator "appVersion" .Chart.AppVersion) -}}
{{- end -}}

{{- define "finetune-operator.runnerImage" -}}
{{- include "finetune-operator.image" (dict "image" .Values.image.runner "appVersion" .Chart.AppVersion) -}}
{{- end -}}

{{- define "finetune-operator.runnerCudaImage" -}}
{{- include "finetune-operator.image" (dict "image" .Values.image.runnerCuda "appVersion" .Chart.AppVersion) -}}
{{- end -}}

{{- /* The pods of jobs: prepare's and the stages'. */ -}}
{{- define "finetune-operator.jobPods" -}}
matchLabels:
  app.kubernetes.io/name: finetune-job
  app.kubernetes.io/managed-by: finetune-operator
{{- end -}}

{{- /* What the operator may do in the namespaces it serves. Nothing on secrets: pods mount them by name.
The finalizers are asked for by the admission plugin OwnerReferencesPermissionEnforcement, which some distributions have on. */ -}}
{{- define "finetune-operator.rules" -}}
- apiGroups: [finetune-operator.dev]
  resources: [finetunejobs]
  verbs: [get, list, watch, patch] # patch: the finalizer of jobs with artifactDeletion: WithJob
- apiGroups: [finetune-operator.dev]
  resources: [finetunejobs/status]
  verbs: [patch]
- apiGroups: [finetune-operator.dev]
  resources: [finetunejobs/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [create, list, watch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create, get]
- apiGroups: [""]
  resources: [events]
  verbs: [create, list]
{{- end -}}

{{- /* What it may read of Kueue there, to tell why a stage waits. */ -}}
{{- define "finetune-operator.kueueRules" -}}
- apiGroups: [kueue.x-k8s.io]
  resources: [workloads]
  verbs: [list]
- apiGroups: [kueue.x-k8s.io]
  resources: [localqueues]
  verbs: [get]
- apiGroups: [visibility.kueue.x-k8s.io]
  resources: [localqueues/pendingworkloads]
  verbs: [get]
{{- end -}}

{{- /* What every job's systems get, as JSON: defaultSystem, with the model cache. */ -}}
{{- define "finetune-operator.defaultSystem" -}}
{{- $system := deepCopy .Values.defaultSystem -}}
{{- with .Values.modelCache -}}
{{- if .claimName -}}
{{- $env := dict "name" "HF_HUB_CACHE" "value" "/var/cache/huggingface" -}}
{{- range $system.env -}}
{{- if eq .name $env.name -}}
{{- fail (printf "defaultSystem.env has %s, which modelCache sets: use one of them" .name) -}}
{{- end -}}
{{- end -}}
{{- $claim := dict "claimName" .claimName -}}
{{- $volume := dict "name" "model-cache" "mountPath" $env.value "readOnly" .readOnly "persistentVolumeClaim" $claim -}}
{{- $_ := set $system "env" (append ($system.env | default list) $env) -}}
{{- $_ := set $system "volumes" (append ($system.volumes | default list) $volume) -}}
{{- end -}}
{{- end -}}
{{- if $system }}{{ $system | toJson }}{{ end -}}
{{- end -}}
