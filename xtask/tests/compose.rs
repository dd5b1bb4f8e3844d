//! The container files agree with one another and with the workspace.

use devstack::workspace::root;
use std::collections::BTreeSet;

use clap::CommandFactory as _;
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
        let folders = ["", "testing"].map(|folder| root().join(folder).join(program));
        assert!(
            folders.iter().any(|folder| folder.join("src/main.rs").is_file()),
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
        let member = member.trim_end_matches("/*");
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

#[test]
fn every_setting_that_a_program_needs_is_given_and_none_that_it_does_not_know() {
    for (name, service) in ours() {
        let program = program(&name);
        let given = names(service["environment"].as_mapping().unwrap());
        let known: BTreeSet<String> = program.get_arguments().filter_map(env_of).collect();
        let needed: BTreeSet<String> = program
            .get_arguments()
            .filter(|arg| arg.is_required_set())
            .map(|arg| {
                env_of(arg).unwrap_or_else(|| panic!("{name}: {} has no variable", arg.get_id()))
            })
            .collect();
        assert!(needed.is_subset(&given), "{name} lacks {:?}", needed.difference(&given));
        // What libraries read by themselves.
        let of_libraries = |key: &str| key.starts_with("TEMPORAL_") || key == "RUST_LOG";
        let strange: Vec<&String> =
            given.difference(&known).filter(|key| !of_libraries(key)).collect();
        assert!(strange.is_empty(), "{name} does not know {strange:?}");
    }
}

#[test]
fn the_public_process_is_given_its_own_settings_and_no_others() {
    let (_, service) = ours().into_iter().find(|(name, _)| name == "webhook").unwrap();
    assert!(service.get("env_file").is_none(), "all of .env would come with it");
    let given = names(service["environment"].as_mapping().unwrap());
    for private in ["ULTRAVOX_API_KEY", "TELNYX_API_KEY", "POSTGRES_PASSWORD", "DATABASE_URL"] {
        assert!(!given.contains(private), "{private}");
    }
}

#[test]
fn every_setting_of_the_example_is_known_and_every_one_of_the_service_is_in_it() {
    let example: BTreeSet<String> = read(".env.example")
        .lines()
        .filter_map(|line| line.trim_start_matches(['#', ' ']).split_once('='))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        .collect();
    for name in ["worker", "webhook"] {
        let settings: BTreeSet<String> = program(name).get_arguments().filter_map(env_of).collect();
        let missing: Vec<&String> = settings.difference(&example).collect();
        assert!(missing.is_empty(), ".env.example lacks {missing:?} of {name}");
    }
}

#[test]
fn the_webhook_server_listens_where_compose_expects_it() {
    let command = program("webhook");
    let port = command.get_arguments().find(|arg| arg.get_id() == "port").unwrap();
    let usual = port.get_default_values()[0].to_str().unwrap();
    let (_, service) = ours().into_iter().find(|(name, _)| name == "webhook").unwrap();
    assert_eq!(service["environment"]["PORT"].as_str(), Some(usual));
}

/// The command line of a program of ours.
fn program(name: &str) -> clap::Command {
    match name {
        "worker" => worker::config::Config::command(),
        "webhook" => webhook::config::Config::command(),
        "simulator" => simulator::Settings::command(),
        other => panic!("{other} is no program of ours"),
    }
}

fn env_of(arg: &clap::Arg) -> Option<String> {
    arg.get_env().map(|name| name.to_str().unwrap().to_owned())
}

fn names(environment: &serde_norway::Mapping) -> BTreeSet<String> {
    environment.keys().map(|name| name.as_str().unwrap().to_owned()).collect()
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
