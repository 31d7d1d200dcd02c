//! The manifests of `deploy/kubernetes`: well formed, whole, and true to one another.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

fn manifests() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/kubernetes");
    let mut found = Vec::new();
    for file in ["rialto.yaml", "flink.yaml"] {
        let text = std::fs::read_to_string(folder.join(file)).expect(file);
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect(file);
        found.extend(documents.into_iter().map(|document| (file.to_owned(), document)));
    }
    assert!(found.len() > 8, "{} documents", found.len());
    found
}

fn of_kind(kind: &str) -> Vec<Value> {
    manifests().into_iter().map(|(_, m)| m).filter(|m| m["kind"] == kind).collect()
}

/// The pod of a workload.
fn pod(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]
}

#[test]
fn every_document_says_what_it_is_and_has_a_name_of_its_own() {
    let mut names = BTreeSet::new();
    for (file, manifest) in manifests() {
        for field in ["/apiVersion", "/kind", "/metadata/name"] {
            let value = manifest.pointer(field).and_then(Value::as_str).unwrap_or_default();
            assert!(!value.is_empty(), "{file}: {field} of {manifest}");
        }
        let name = format!("{} {}", manifest["kind"], manifest["metadata"]["name"]);
        let name = name.replace('"', "");
        let namespace = manifest["metadata"]["namespace"].as_str();
        assert_eq!(namespace.is_none(), manifest["kind"] == "Namespace", "{file}: {name}");
        assert!(names.insert(name.clone()), "{file}: {name} stands twice");
    }
    for needed in [
        "StatefulSet rialto",
        "Service rialto",
        "NetworkPolicy rialto",
        "FlinkDeployment rialto-flink",
        "Deployment rialto-flink-gateway",
        "Service rialto-flink-gateway",
        "NetworkPolicy rialto-flink-gateway",
    ] {
        assert!(names.contains(needed), "{needed} is not in {names:?}");
    }
}

#[test]
fn workloads_are_probed_limited_and_selected_by_their_own_labels() {
    let workloads = of_kind("StatefulSet").into_iter().chain(of_kind("Deployment"));
    for workload in workloads {
        let name = &workload["metadata"]["name"];
        let labels = &workload["spec"]["template"]["metadata"]["labels"];
        assert!(labels.is_object(), "{name}");
        assert_eq!(&workload["spec"]["selector"]["matchLabels"], labels, "{name}");
        for container in pod(&workload)["containers"].as_array().expect("containers") {
            let ports: Vec<&Value> = container["ports"].as_array().expect("ports").iter().collect();
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                let get = &container[probe]["httpGet"];
                assert!(get["path"].as_str().is_some_and(|p| p.starts_with('/')), "{name} {probe}");
                assert!(ports.iter().any(|p| p["name"] == get["port"]), "{name} {probe}: {get}");
            }
            let resources = &container["resources"];
            for field in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
                assert!(resources.pointer(field).is_some_and(Value::is_string), "{name} {field}");
            }
            let image = container["image"].as_str().expect("an image");
            assert!(image.rsplit_once(':').is_some_and(|(_, tag)| tag != "latest"), "{image}");
        }
    }
}

#[test]
fn rialto_is_alone_keeps_its_state_and_is_given_what_its_arguments_name() {
    let [set] = of_kind("StatefulSet").try_into().expect("one");
    assert_eq!(set["spec"]["replicas"], 1);
    let container = &pod(&set)["containers"][0];
    let context = &container["securityContext"];
    assert_eq!(context["readOnlyRootFilesystem"], true);
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(pod(&set)["securityContext"]["runAsNonRoot"], true);
    let mounts: BTreeSet<&str> = container["volumeMounts"]
        .as_array()
        .expect("mounts")
        .iter()
        .filter_map(|mount| mount["name"].as_str())
        .collect();
    let claims = set["spec"]["volumeClaimTemplates"].as_array().expect("claims").iter();
    let claims = claims.filter_map(|claim| claim["metadata"]["name"].as_str());
    let volumes = pod(&set)["volumes"].as_array().expect("volumes").iter();
    let volumes = volumes.filter_map(|volume| volume["name"].as_str());
    let given: BTreeSet<&str> = claims.chain(volumes).collect();
    assert_eq!(mounts, given);
    let arguments: Vec<&str> =
        container["args"].as_array().expect("args").iter().filter_map(Value::as_str).collect();
    assert_eq!(arguments[0], "run");
    let project = arguments[1].strip_prefix("/project/").expect("a file of the ConfigMap");
    let config = pod(&set)["volumes"][0]["configMap"]["name"].as_str().expect("a ConfigMap");
    let maps = of_kind("ConfigMap");
    let map = maps.iter().find(|map| map["metadata"]["name"] == config).expect("the ConfigMap");
    assert!(map["data"][project].is_string(), "{project}");
    let state = arguments.iter().position(|a| *a == "--state").expect("--state");
    let is_mounted = |mount: &Value| mount["mountPath"] == arguments[state + 1];
    assert!(container["volumeMounts"].as_array().expect("mounts").iter().any(is_mounted));
    let service = set["spec"]["serviceName"].clone();
    assert!(of_kind("Service").iter().any(|s| s["metadata"]["name"] == service));
}

#[test]
fn services_and_policies_mean_pods_and_ports_that_there_are() {
    let workloads: Vec<Value> =
        of_kind("StatefulSet").into_iter().chain(of_kind("Deployment")).collect();
    let labelled = |labels: &Value| {
        let is = |w: &&Value| &w["spec"]["template"]["metadata"]["labels"] == labels;
        workloads.iter().find(is).unwrap_or_else(|| panic!("no pod has {labels}"))
    };
    let has_port = |workload: &Value, port: &Value| {
        let ports = pod(workload)["containers"][0]["ports"].as_array().expect("ports").clone();
        assert!(ports.iter().any(|p| p["name"] == *port), "{port} of {}", workload["metadata"]);
    };
    for service in of_kind("Service") {
        let workload = labelled(&service["spec"]["selector"]);
        for port in service["spec"]["ports"].as_array().expect("ports") {
            has_port(workload, &port["targetPort"]);
        }
    }
    for policy in of_kind("NetworkPolicy") {
        let workload = labelled(&policy["spec"]["podSelector"]["matchLabels"]);
        for rule in policy["spec"]["ingress"].as_array().expect("ingress") {
            assert!(rule["from"].is_array(), "{} lets everybody in", policy["metadata"]);
            for port in rule["ports"].as_array().expect("ports") {
                has_port(workload, &port["port"]);
            }
        }
    }
}

#[test]
fn the_cluster_is_one_that_the_operator_takes_and_that_the_gateway_finds() {
    let [cluster] = of_kind("FlinkDeployment").try_into().expect("one");
    assert_eq!(cluster["apiVersion"], "flink.apache.org/v1beta1");
    let spec = &cluster["spec"];
    for field in [
        "/image",
        "/flinkVersion",
        "/serviceAccount",
        "/jobManager/resource/memory",
        "/taskManager/resource/memory",
        "/flinkConfiguration/execution.checkpointing.dir",
        "/flinkConfiguration/execution.checkpointing.savepoint-dir",
    ] {
        assert!(spec.pointer(field).is_some_and(Value::is_string), "{field}");
    }
    // Without a job it is a session cluster.
    assert!(spec.get("job").is_none());
    let settings = spec["flinkConfiguration"].as_object().expect("settings");
    assert!(settings.values().all(Value::is_string), "the operator takes texts alone");
    let [gateway] = of_kind("Deployment").try_into().expect("one");
    let arguments = gateway["spec"]["template"]["spec"]["containers"][0]["args"].clone();
    let rest = format!("-Drest.address={}-rest", cluster["metadata"]["name"].as_str().unwrap());
    assert!(arguments.as_array().unwrap().contains(&Value::String(rest)), "{arguments}");
    let image = &gateway["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(image, &spec["image"], "the connector must be in all three");
}
