//! What `deploy/` and the Dockerfile say fits together: fields that Kubernetes knows, restricted pod security, mounts that
//! exist, the path that `trilane install` makes, our own version.

use serde_json::Value;
use std::fs;
use std::path::Path;

const AGENT: &str = "-agentpath:/opt/trilane/current/libtrilane.so";

fn text(file: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the tree");
    fs::read_to_string(root.join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

fn yaml(file: &str, text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// Fields of `io.k8s.api.core.v1` that these files use, by what holds them; any other is a slip of the pen.
fn known(kind: &str) -> &'static [&'static str] {
    match kind {
        "pod" => &["securityContext", "initContainers", "containers", "volumes"],
        "container" => &["name", "image", "args", "env", "securityContext", "resources", "volumeMounts"],
        "securityContext" => &[
            "runAsNonRoot",
            "runAsUser",
            "allowPrivilegeEscalation",
            "readOnlyRootFilesystem",
            "capabilities",
            "seccompProfile",
        ],
        "volumeMount" => &["name", "mountPath", "readOnly"],
        "volume" => &["name", "emptyDir", "configMap", "downwardAPI"],
        "env" => &["name", "value"],
        _ => panic!("{kind}"),
    }
}

fn fields(kind: &str, value: &Value) {
    for name in value.as_object().unwrap_or_else(|| panic!("{kind} is a map: {value}")).keys() {
        assert!(known(kind).contains(&name.as_str()), "{kind} has no field {name}");
    }
}

fn all<'a>(value: &'a Value, list: &str) -> Vec<&'a Value> {
    value[list].as_array().into_iter().flatten().collect()
}

/// The profile `restricted` of the Pod Security Standards, and a read-only root.
fn restricted(container: &Value, pod: &Value) {
    let (own, shared) = (&container["securityContext"], &pod["securityContext"]);
    fields("securityContext", own);
    assert_eq!(own["allowPrivilegeEscalation"], false, "{container}");
    assert_eq!(own["capabilities"]["drop"], serde_json::json!(["ALL"]), "{container}");
    assert_eq!(own["readOnlyRootFilesystem"], true, "{container}");
    let either = |name: &str| if own[name].is_null() { &shared[name] } else { &own[name] };
    assert_eq!(*either("runAsNonRoot"), true, "{container}");
    assert_eq!(either("seccompProfile")["type"], "RuntimeDefault", "{container}");
}

fn check_pod(pod: &Value) {
    fields("pod", pod);
    let volumes: Vec<&str> = all(pod, "volumes").iter().map(|v| v["name"].as_str().expect("a name")).collect();
    all(pod, "volumes").iter().for_each(|v| fields("volume", v));
    for container in all(pod, "initContainers").into_iter().chain(all(pod, "containers")) {
        fields("container", container);
        restricted(container, pod);
        for mount in all(container, "volumeMounts") {
            fields("volumeMount", mount);
            assert!(volumes.contains(&mount["name"].as_str().expect("a name")), "no volume for {mount}");
            assert!(mount.get("subPath").is_none(), "a subPath never updates");
        }
        all(container, "env").iter().for_each(|e| fields("env", e));
    }
    let init = &pod["initContainers"][0];
    assert_eq!(init["args"], serde_json::json!(["install", "/opt/trilane"]));
    assert_eq!(init["securityContext"]["runAsUser"], 65532);
    assert_eq!(init["volumeMounts"][0], serde_json::json!({"name": "trilane", "mountPath": "/opt/trilane"}));
}

#[test]
fn the_kustomize_patch_is_a_restricted_pod() {
    let patch = yaml("patch.yaml", &text("deploy/kustomize/patch.yaml"));
    assert_eq!([&patch["apiVersion"], &patch["kind"]], ["apps/v1", "Deployment"]);
    let pod = &patch["spec"]["template"]["spec"];
    check_pod(pod);
    let image = pod["initContainers"][0]["image"].as_str().expect("an image");
    assert!(image.ends_with(concat!(":", env!("CARGO_PKG_VERSION"))), "{image} is not this version");
    let env = all(&pod["containers"][0], "env");
    assert!(env.iter().any(|e| e["name"] == "JAVA_TOOL_OPTIONS" && e["value"] == AGENT), "{env:?}");
    let kustomization = yaml("kustomization.yaml", &text("deploy/kustomize/kustomization.yaml"));
    assert_eq!([&kustomization["kind"], &kustomization["patches"][0]["path"]], ["Component", "patch.yaml"]);
}

/// Stands for `helm template` with no values but the image; the snippet uses four kinds of expressions only.
#[test]
fn the_helm_parts_make_a_restricted_pod() {
    let file = text("deploy/helm/_trilane.tpl");
    let part = |name: &str| {
        let start =
            file.find(&format!("{{{{- define \"trilane.{name}\" -}}}}\n")).unwrap_or_else(|| panic!("no part {name}"));
        let body = &file[start..];
        let body = &body[body.find('\n').unwrap_or(0) + 1..body.find("{{- end }}").expect("it ends")];
        let mut rendered = String::new();
        for line in body.lines() {
            let line = match (line.find("{{"), line.find("}}")) {
                (Some(from), Some(to)) => {
                    let value = match &line[from..to + 2] {
                        e if e.contains("javaToolOptions") => AGENT,
                        e if e.contains("trilane.mode") => "observe",
                        e if e.contains("trilane.image") => "trilane:0.1.0",
                        other => panic!("unknown expression {other}"),
                    };
                    format!("{}\"{value}\"{}", &line[..from], &line[to + 2..])
                }
                _ => line.to_string(),
            };
            rendered += &(line + "\n");
        }
        yaml(name, &rendered)
    };
    let app = serde_json::json!({"name": "app", "env": part("env"), "volumeMounts": part("mounts"), "securityContext":
        {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}}});
    let pod = serde_json::json!({"initContainers": part("init"), "containers": [app], "volumes": part("volumes"),
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}});
    check_pod(&pod);
    assert!(file.contains(&format!("%s {AGENT}")), "ours is appended to the chart's own options");
}

#[test]
fn drop_in_and_image_name_what_install_makes() {
    let drop_in = text("deploy/systemd/trilane.conf");
    let keys: Vec<&str> = drop_in.lines().filter_map(|l| l.split_once('=')).map(|(k, _)| k).collect();
    assert!(keys.iter().all(|k| k.starts_with('#') || ["Environment", "ReadOnlyPaths"].contains(k)), "{keys:?}");
    assert!(drop_in.contains("[Service]\n") && drop_in.contains(&format!("\nEnvironment=JAVA_TOOL_OPTIONS={AGENT}\n")));
    let image = text("Dockerfile");
    assert!(image.contains("\nUSER 65532:65532\n") && image.contains("CMD [\"install\", \"/opt/trilane\"]"), "{image}");
    let copied = image.lines().find_map(|l| l.strip_prefix("COPY ")).expect("a COPY line");
    let dist = text("deploy/dist.sh");
    for name in copied.split(' ').filter(|n| !n.ends_with('/')) {
        assert!(dist.contains(name), "{name} is in no release");
    }
}

/// Go supports its two newest releases; who is one behind that can still build with the root module.
#[test]
fn the_go_module_asks_for_little() {
    let module = text("bindings-go/go.mod");
    assert!(module.contains("\ngo 1.24\n") && !module.contains("require"), "{module}");
}
