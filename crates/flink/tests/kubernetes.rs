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

/// What of a value does not fit a schema, as a CRD says it: with its path.
fn misfits(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    if schema["x-kubernetes-int-or-string"] == true {
        if !value.is_number() && !value.is_string() {
            found.push(format!("{path} is no number or text: {value}"));
        }
        return;
    }
    let is_of_type = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    if !is_of_type {
        found.push(format!("{path} is no {}: {value}", schema["type"]));
    }
    if let Some(known) = schema["enum"].as_array()
        && !known.contains(value)
    {
        found.push(format!("{path} is {value}, none of {}", schema["enum"]));
    }
    for needed in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(needed).is_none() {
            found.push(format!("{path}.{needed} is missing"));
        }
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        misfits(&schema["items"], item, &format!("{path}[{number}]"), found);
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let (fields, others) = (&schema["properties"], &schema["additionalProperties"]);
        if let Some(field) = fields.get(name) {
            misfits(field, inner, &path, found);
        } else if others.is_object() {
            misfits(others, inner, &path, found);
        } else if fields.is_object() && schema["x-kubernetes-preserve-unknown-fields"] != true {
            found.push(format!("{path} is unknown"));
        }
    }
}

/// The schema of `FlinkDeployment`, of the newest operator that a registry has.
fn schema_of_the_operator() -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/flink/crd.sh");
    let done = std::process::Command::new(script).output().expect("crd.sh");
    if done.status.code() == Some(3) {
        eprintln!("{}", String::from_utf8_lossy(&done.stderr));
        return None;
    }
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let folder = String::from_utf8(done.stdout).expect("a path");
    let file = Path::new(folder.trim()).join("flinkdeployments.flink.apache.org-v1.yml");
    let text = std::fs::read_to_string(&file).expect("the schema");
    let definition: Value = serde_saphyr::from_str(&text).expect("the schema is YAML");
    let version = &definition["spec"]["versions"][0];
    assert_eq!(version["name"], "v1beta1");
    Some(version["schema"]["openAPIV3Schema"].clone())
}

#[test]
fn the_cluster_fits_the_schema_of_the_operator() {
    let Some(schema) = schema_of_the_operator() else { return };
    let check = |cluster: &Value| {
        let mut found = Vec::new();
        misfits(&schema["properties"]["spec"], &cluster["spec"], "spec", &mut found);
        // That operator is older than Flink 2: of this one field it cannot know the value.
        found.retain(|text| !text.starts_with("spec.flinkVersion is \"v2_"));
        found
    };
    let [mut cluster] = of_kind("FlinkDeployment").try_into().expect("one");
    assert_eq!(check(&cluster), Vec::<String>::new());
    // What is wrong would be found.
    cluster["spec"]["taskmanager"] = cluster["spec"]["taskManager"].clone();
    cluster["spec"]["taskManager"]["resource"]["cpu"] = "four".into();
    cluster["spec"]["flinkConfiguration"]["parallelism.default"] = 4.into();
    let expected = [
        "spec.flinkConfiguration.parallelism.default is no \"string\": 4",
        "spec.taskManager.resource.cpu is no \"number\": \"four\"",
        "spec.taskmanager is unknown",
    ];
    let mut found = check(&cluster);
    found.sort();
    assert_eq!(found, expected);
}
