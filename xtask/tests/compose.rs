//! The container files agree with one another and with the workspace.

use std::path::PathBuf;

use serde_norway::Value;

#[test]
fn every_image_is_pinned() {
    for (name, service) in services() {
        let image = service["image"].as_str().unwrap_or_else(|| panic!("{name} has no image"));
        let (_, tag) =
            image.rsplit_once(':').unwrap_or_else(|| panic!("{name}: {image} has no tag"));
        assert!(
            tag == "local" || tag.starts_with(|c: char| c.is_ascii_digit()),
            "{name}: {image} moves"
        );
        assert_eq!(
            tag == "local",
            service.get("build").is_some(),
            "{name}: a local image is one that is built"
        );
    }
    for image in lines_of("Dockerfile", "FROM ") {
        let image = image.split(' ').next().unwrap();
        assert!(image.contains(':') && !image.ends_with(":latest"), "Dockerfile: {image} moves");
    }
}

#[test]
fn every_service_is_watched_and_comes_back() {
    for (name, service) in services() {
        assert!(service["healthcheck"]["test"].is_sequence(), "{name} has no health check");
        assert_eq!(
            service["restart"].as_str(),
            Some("unless-stopped"),
            "{name} stays away after a crash"
        );
    }
}

#[test]
fn nothing_of_ours_runs_as_root() {
    let user = lines_of("Dockerfile", "USER ").pop().expect("the Dockerfile names no user");
    for (name, service) in ours() {
        assert_eq!(
            service["user"].as_str(),
            Some(user.as_str()),
            "{name} runs as another user than the image"
        );
    }
}

#[test]
fn the_ports_agree() {
    let services = services();
    let service = |name: &str| services.iter().find(|(found, _)| found == name).unwrap().1.clone();

    let webhook = service("webhook");
    let port = webhook["environment"]["PORT"].as_str().unwrap().to_owned();
    assert!(text(&webhook["ports"]).contains(&format!(":{port}")));
    assert!(text(&webhook["healthcheck"]).contains(&format!(":{port}/readyz")));

    let simulator = service("simulator");
    assert!(
        text(&simulator["command"]).contains(&format!("http://webhook:{port}/webhooks/outcome"))
    );
    let command: Vec<&str> = simulator["command"]
        .as_sequence()
        .unwrap()
        .iter()
        .map(|arg| arg.as_str().unwrap())
        .collect();
    let at = command.iter().position(|arg| *arg == "--port").unwrap();
    assert!(text(&simulator["healthcheck"]).contains(&format!(":{}/sim/health", command[at + 1])));

    for name in ["worker", "webhook", "temporal-ui"] {
        assert_eq!(
            service(name)["environment"]["TEMPORAL_ADDRESS"].as_str(),
            Some("temporal:7233"),
            "{name}"
        );
    }
}

#[test]
fn the_simulator_is_for_demonstrations_only() {
    for (name, service) in services() {
        let profiles = service.get("profiles").map(text).unwrap_or_default();
        assert_eq!(profiles.contains("demo"), name == "simulator", "{name}");
    }
}

#[test]
fn what_is_built_is_there() {
    for (name, service) in ours() {
        let context = root().join(service["build"]["context"].as_str().unwrap());
        assert!(context.join(service["build"]["dockerfile"].as_str().unwrap()).is_file(), "{name}");
        let program = service["command"][0].as_str().unwrap();
        assert!(
            root().join(program).join("src/main.rs").is_file(),
            "{name} runs {program}, which is no binary of ours"
        );
    }
    let copied = lines_of("Dockerfile", "COPY ");
    assert!(
        copied.iter().any(|line| line.starts_with("migrations ")),
        "the migrations are not in the image"
    );
    let workspace = lines_of("Cargo.toml", "members = ").pop().unwrap();
    let allowed = lines_of(".dockerignore", "!");
    for member in
        workspace.split('"').skip(1).step_by(2).chain(["migrations", ".sqlx", "Cargo.lock"])
    {
        assert!(
            allowed.iter().any(|path| path == member),
            ".dockerignore keeps {member} out of the build"
        );
    }
}

#[test]
fn a_setting_has_a_usual_value_or_must_be_given() {
    let text = read("docker-compose.yml");
    for part in text.split("${").skip(1) {
        let reference = part.split('}').next().unwrap();
        assert!(
            reference.contains(":-") || reference.contains(":?"),
            "${{{reference}}} is silently empty when unset"
        );
    }
}

/// Name and definition of every service.
fn services() -> Vec<(String, Value)> {
    let mut file: Value = serde_norway::from_str(&read("docker-compose.yml")).unwrap();
    file.apply_merge().unwrap();
    let services = file["services"].as_mapping().unwrap();
    services
        .iter()
        .map(|(name, service)| (name.as_str().unwrap().to_owned(), service.clone()))
        .collect()
}

/// The services that run a program of this workspace.
fn ours() -> Vec<(String, Value)> {
    let ours: Vec<_> =
        services().into_iter().filter(|(_, service)| service.get("build").is_some()).collect();
    assert_eq!(ours.len(), 3);
    ours
}

fn text(value: &Value) -> String {
    serde_norway::to_string(value).unwrap()
}

/// What follows this prefix, on every line that begins with it.
fn lines_of(file: &str, prefix: &str) -> Vec<String> {
    read(file).lines().filter_map(|line| line.strip_prefix(prefix)).map(str::to_owned).collect()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}
