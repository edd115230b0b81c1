//! What must hold in the Kubernetes file alone.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::missing;
use crate::deployment::reading::{
    KUBERNETES, Program, Texts, containers, image, in_kubernetes, kubernetes, told,
};

/// Everything that is wrong there.
pub(super) fn of_kubernetes(texts: &Texts, program: &Program) -> Vec<String> {
    let objects = kubernetes(texts);
    let place = in_kubernetes(texts);
    let deployment = &objects["Deployment"]["spec"];
    let pod = &deployment["template"]["spec"];
    let (app, bridge) = containers(&objects["Deployment"]);
    let (_, user) = image(texts);
    let rights = &bridge["securityContext"];
    let as_user = format!("{}:{}", rights["runAsUser"], rights["runAsGroup"]);
    let (service, ingress) = (&objects["Service"], &objects["Ingress"]["spec"]);
    let rule = &ingress["rules"][0];
    let backend = &rule["http"]["paths"][0]["backend"]["service"];
    let host = rule["host"].as_str().unwrap_or_default();
    let labels = &deployment["template"]["metadata"]["labels"];
    let url = place.value("FIRST_URL", program);
    let app_at = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let told = told(&texts[KUBERNETES]).join("\n");
    let mut wrong = missing([
        (deployment["replicas"] == 1, "two processes would want one journal"),
        (deployment["strategy"]["type"] == "Recreate", "a new pod begins before the old one ends"),
        (as_user == user, "the user is not the image's"),
        (pod["securityContext"]["fsGroup"] == rights["runAsGroup"], "its group has no volume"),
        (
            pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch",
            "the journal becomes readable for a group",
        ),
        (rights["runAsNonRoot"] == true, "it may be root"),
        (rights["readOnlyRootFilesystem"] == true, "the bridge's root can be written"),
        (rights["allowPrivilegeEscalation"] == false, "it may get more rights"),
        (rights["capabilities"]["drop"] == json!(["ALL"]), "the bridge has capabilities"),
        (
            service["spec"]["selector"] == *labels
                && deployment["selector"]["matchLabels"] == *labels,
            "labels differ",
        ),
        (service["spec"]["publishNotReadyAddresses"] == true, "an app that is down takes it away"),
        (
            backend["name"] == service["metadata"]["name"]
                && backend["port"]["name"] == service["spec"]["ports"][0]["name"],
            "the ingress leads elsewhere",
        ),
        (
            place.value("SCIM_BRIDGE_PUBLIC_URL", program) == format!("https://{host}")
                && ingress["tls"][0]["hosts"] == json!([host]),
            "the ingress has another name",
        ),
        (app["args"].to_string().contains(&format!("\"{app_at}\"")), "the app listens elsewhere"),
        (!objects.contains_key("Secret"), "a secret stands in the file"),
    ]);
    wrong.extend(of_volumes(pod, bridge, &objects, &told));
    wrong.into_iter().map(|fault| format!("{KUBERNETES}: {fault}")).collect()
}

/// Volumes are mounted and made: in the file, or by the commands in its comments.
fn of_volumes(
    pod: &Value,
    bridge: &Value,
    objects: &BTreeMap<String, Value>,
    told: &str,
) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let names = |value: &Value| -> BTreeSet<String> {
        list(value).iter().map(|entry| entry["name"].to_string()).collect()
    };
    let is_made = |kind: &str, name: &Value| {
        let made = format!("kubectl create {kind} {} ", name.as_str().unwrap_or_default());
        name.is_null() || told.contains(&made)
    };
    let mut wrong = missing([(
        names(&pod["volumes"]) == names(&bridge["volumeMounts"]),
        "volumes and their uses differ",
    )]);
    let claim = &objects["PersistentVolumeClaim"]["metadata"]["name"];
    for volume in list(&pod["volumes"]) {
        let claimed = &volume["persistentVolumeClaim"]["claimName"];
        wrong.extend(missing([
            (claimed.is_null() || claimed == claim, "the claim has another name"),
            (is_made("secret generic", &volume["secret"]["secretName"]), "nothing makes a secret"),
            (is_made("configmap", &volume["configMap"]["name"]), "nothing makes a config map"),
        ]));
    }
    for source in list(&bridge["envFrom"]) {
        let made = is_made("secret generic", &source["secretRef"]["name"]);
        wrong.extend(missing([(made, "nothing makes a secret")]));
    }
    let tls = &objects["Ingress"]["spec"]["tls"][0]["secretName"];
    wrong.extend(missing([(is_made("secret tls", tls), "nothing makes the certificate's secret")]));
    wrong
}
