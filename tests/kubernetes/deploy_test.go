// Package kubernetes renders deploy/ by kustomize's and Helm's own code and reads what comes out by Kubernetes' own
// types, strictly, and by its own check of restricted pod security.
package kubernetes

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	agent = "-agentpath:/opt/trilane/current/libtrilane.so"
	// The workload of somebody's own, before anything of ours.
	workload = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop, labels: {app: shop, trilane.io/watch: "true"}}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - {name: app, image: "shop:1", env: [{name: SHOP, value: "1"}], volumeMounts: [{name: own, mountPath: /own}]}
      volumes: [{name: own, emptyDir: {}}]
`
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// kustomized renders an overlay of two workloads, one of which has the component's label.
func kustomized(t *testing.T, patch string) ([]string, error) {
	t.Helper()
	files := filesys.MakeFsInMemory()
	for path, text := range map[string]string{
		"/overlay/kustomization.yaml": "resources: [shop.yaml, other.yaml]\ncomponents: [../trilane]\n",
		"/overlay/shop.yaml":          workload,
		"/overlay/other.yaml":         other(),
		"/trilane/kustomization.yaml": read(t, "deploy/kustomize/kustomization.yaml"),
		"/trilane/patch.yaml":         patch,
	} {
		if err := files.WriteFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/overlay")
	if err != nil {
		return nil, err
	}
	text, err := made.AsYaml()
	return strings.Split(string(text), "\n---\n"), err
}

func other() string {
	return strings.NewReplacer("name: shop,", "name: other,", ", trilane.io/watch: \"true\"", "").Replace(workload)
}

// helmed renders a chart whose one template is the workload with the four parts where deploy/helm's comment puts them.
func helmed(t *testing.T, parts string, values map[string]any) (string, error) {
	t.Helper()
	said := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^  [a-z\[\].]*?(\w+): +(.*\{\{ include .*)$`).FindAllStringSubmatch(parts, -1) {
		said[line[1]] = line[2]
	}
	if len(said) != 4 {
		t.Fatalf("the comment tells where %d parts go: %v", len(said), said)
	}
	template := `
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      initContainers: ` + said["initContainers"] + `
      containers:
        - name: app
          image: shop:1
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
          env: ` + said["env"] + `
          volumeMounts: ` + said["volumeMounts"] + `
      volumes: ` + said["volumes"] + `
`
	made := &chart.Chart{
		Metadata:  &chart.Metadata{APIVersion: "v2", Name: "shop", Version: "0.1.0"},
		Templates: []*chart.File{{Name: "templates/_trilane.tpl", Data: []byte(parts)}, {Name: "templates/shop.yaml", Data: []byte(template)}},
	}
	all, err := chartutil.ToRenderValues(made, values, chartutil.ReleaseOptions{Name: "shop", Namespace: "staging"}, nil)
	if err != nil {
		return "", err
	}
	rendered, err := engine.Render(made, all)
	return rendered["shop/templates/shop.yaml"], err
}

// deployment reads by Kubernetes' own types: a field that they do not have, twice the same one or a wrong type is an error.
func deployment(text string) (*apps.Deployment, error) {
	read := &apps.Deployment{}
	return read, yaml.UnmarshalStrict([]byte(text), read)
}

// refused is what the profile `restricted`, as of the newest version, has against a pod; empty if nothing.
func refused(t *testing.T, made *apps.Deployment) string {
	t.Helper()
	judge, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	pod := made.Spec.Template
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	result := policy.AggregateCheckResults(judge.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec))
	return result.ForbiddenDetail()
}

// watched judges a rendered workload: whole, restricted, with our mounts, and `options` in JAVA_TOOL_OPTIONS.
func watched(t *testing.T, text, options string) *apps.Deployment {
	t.Helper()
	made, err := deployment(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if why := refused(t, made); why != "" {
		t.Fatalf("restricted pod security refuses it: %s\n%s", why, text)
	}
	pod := made.Spec.Template.Spec
	if len(pod.InitContainers) != 1 || len(pod.Containers) != 1 {
		t.Fatalf("the containers:\n%s", text)
	}
	volumes := map[string]bool{}
	for _, volume := range pod.Volumes {
		volumes[volume.Name] = true
	}
	for _, container := range []core.Container{pod.InitContainers[0], pod.Containers[0]} {
		for _, mount := range container.VolumeMounts {
			if !volumes[mount.Name] {
				t.Errorf("no volume for %v", mount)
			}
		}
		if root := container.SecurityContext.ReadOnlyRootFilesystem; root == nil || !*root {
			t.Errorf("%s has a root that it may write to", container.Name)
		}
	}
	env := map[string]string{}
	for _, variable := range pod.Containers[0].Env {
		env[variable.Name] = variable.Value
	}
	if env["JAVA_TOOL_OPTIONS"] != options || env["TRILANE_MODE"] != "observe" {
		t.Errorf("its environment: %v", env)
	}
	return made
}

func TestKustomizeWatchesTheWorkloadWithTheLabelAndNoOther(t *testing.T) {
	patch := strings.Replace(read(t, "deploy/kustomize/patch.yaml"), "name: NAME", "name: app", 1)
	texts, err := kustomized(t, patch)
	if err != nil || len(texts) != 2 {
		t.Fatal(err, texts)
	}
	pod := watched(t, texts[0], agent).Spec.Template.Spec
	container := pod.Containers[0]
	if container.Image != "shop:1" || len(container.Env) != 3 || len(container.VolumeMounts) != 4 || len(pod.Volumes) != 4 {
		t.Errorf("what was there is there no longer:\n%s", texts[0])
	}
	same, err := deployment(texts[1])
	before, _ := deployment(other())
	if err != nil || same.String() != before.String() {
		t.Errorf("the other workload is changed: %v\n%s", err, texts[1])
	}
}

func TestHelmAppendsToTheChartsOwnOptions(t *testing.T) {
	parts := read(t, "deploy/helm/_trilane.tpl")
	image := map[string]any{"image": "trilane:0.1.0"}
	for options, values := range map[string]map[string]any{
		agent:                        {"trilane": image},
		"-Xmx64m -Da=\"b\" " + agent: {"trilane": image, "javaToolOptions": "-Xmx64m -Da=\"b\""},
	} {
		text, err := helmed(t, parts, values)
		if err != nil {
			t.Fatal(err)
		}
		watched(t, text, options)
	}
}

// The judges themselves: a slip of the pen and a container that may do more are seen.
func TestTheJudgesSeeAFieldThatDoesNotExistAndAPodThatIsNotRestricted(t *testing.T) {
	patch := strings.Replace(read(t, "deploy/kustomize/patch.yaml"), "name: NAME", "name: app", 1)
	spoilt := func(from, to string) string {
		texts, err := kustomized(t, strings.Replace(patch, from, to, 1))
		if err != nil {
			t.Fatal(err)
		}
		return texts[0]
	}
	if _, err := deployment(spoilt("allowPrivilegeEscalation", "allowPrivilegeEscalations")); err == nil {
		t.Error("an unknown field is taken")
	}
	if _, err := deployment(spoilt("runAsUser: 65532", "runAsUser: nobody")); err == nil {
		t.Error("a name is taken for a number")
	}
	made, err := deployment(spoilt("capabilities: {drop: [\"ALL\"]}", "capabilities: {}"))
	if err != nil || !strings.Contains(refused(t, made), "capabilities") {
		t.Errorf("capabilities that are kept: %v %s", err, refused(t, made))
	}
}
