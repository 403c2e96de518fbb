{{/*
Parts for a chart of your own. In the Deployment's pod template:
  initContainers:            {{ include "trilane.init" . | nindent 8 }}
  containers[].env:          {{ include "trilane.env" . | nindent 12 }}
  containers[].volumeMounts: {{ include "trilane.mounts" . | nindent 12 }}
  volumes:                   {{ include "trilane.volumes" . | nindent 8 }}
Values: trilane.image, trilane.mode (observe), javaToolOptions (the chart's own; ours is appended to it).
*/}}
{{- define "trilane.init" -}}
- name: trilane
  image: {{ .Values.trilane.image | quote }}
  args: ["install", "/opt/trilane"]
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities: {drop: ["ALL"]}
    seccompProfile: {type: RuntimeDefault}
  volumeMounts:
    - {name: trilane, mountPath: /opt/trilane}
{{- end }}
{{- define "trilane.env" -}}
- {name: TRILANE_MODE, value: {{ .Values.trilane.mode | default "observe" | quote }}}
- name: JAVA_TOOL_OPTIONS
  value: {{ printf "%s -agentpath:/opt/trilane/current/libtrilane.so" (.Values.javaToolOptions | default "") | trim | quote }}
{{- end }}
{{- define "trilane.mounts" -}}
- {name: trilane, mountPath: /opt/trilane, readOnly: true}
- {name: trilane-rules, mountPath: /etc/trilane, readOnly: true}
{{- end }}
{{- define "trilane.volumes" -}}
- name: trilane
  emptyDir: {sizeLimit: 64Mi}
- name: trilane-rules
  configMap: {name: trilane-lanes, optional: true}
{{- end }}
