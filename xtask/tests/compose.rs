//! Consistency of the container files with each other and with the workspace.

use devstack::workspace::root;
use std::collections::BTreeSet;

use clap::CommandFactory as _;
use serde_norway::Value;

#[test]
fn images_are_pinned() {
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
fn services_have_health_checks_and_restart() {
    let services = services();
    for (name, service) in &services {
        if is_job(service) {
            let waits = |(_, other): &(String, Value)| {
                other["depends_on"][name.as_str()]["condition"] == "service_completed_successfully"
            };
            assert!(services.iter().any(waits), "nothing waits for the job {name}");
            continue;
        }
        assert!(service["healthcheck"]["test"].is_sequence(), "{name} has no health check");
        assert_eq!(
            service["restart"].as_str(),
            Some("unless-stopped"),
            "{name} does not restart after a crash"
        );
    }
}

#[test]
fn workspace_services_do_not_run_as_root() {
    let user = lines_of("Dockerfile", "USER ").pop().expect("the Dockerfile has no USER");
    for (name, service) in workspace_services() {
        assert_eq!(
            service["user"].as_str(),
            Some(user.as_str()),
            "{name} and the image have different users"
        );
    }
}

#[test]
fn ports_are_consistent() {
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
fn simulator_is_only_in_the_demo_profile() {
    for (name, service) in services() {
        let profiles = service.get("profiles").map(text).unwrap_or_default();
        assert_eq!(profiles.contains("demo"), name == "simulator", "{name}");
    }
}

#[test]
fn built_images_contain_programs_of_the_workspace() {
    for (name, service) in workspace_services() {
        let context = root().join(service["build"]["context"].as_str().unwrap());
        assert!(context.join(service["build"]["dockerfile"].as_str().unwrap()).is_file(), "{name}");
        let program = service["command"][0].as_str().unwrap();
        let folders = ["", "testing"].map(|folder| root().join(folder).join(program));
        assert!(
            folders.iter().any(|folder| folder.join("src/main.rs").is_file()),
            "{name} runs {program}, which is no program of this workspace"
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
            ".dockerignore excludes {member} from the build"
        );
    }
}

#[test]
fn unset_variables_have_a_default_or_are_an_error() {
    let text = read("docker-compose.yml");
    for part in text.split("${").skip(1) {
        let reference = part.split('}').next().unwrap();
        assert!(
            reference.contains(":-") || reference.contains(":?"),
            "${{{reference}}} is empty when unset"
        );
    }
}

#[test]
fn services_get_all_required_and_only_known_settings() {
    for (name, service) in workspace_services() {
        let program = match is_job(&service) {
            true => subcommand(&service),
            false => program(&name),
        };
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
        // Read by libraries.
        let is_library_setting = |key: &str| key.starts_with("TEMPORAL_") || key == "RUST_LOG";
        let is_blank = |key: &str| service["environment"][key].as_str() == Some("");
        let unknown: Vec<&String> = given
            .difference(&known)
            .filter(|key| !is_library_setting(key) && !is_blank(key))
            .collect();
        assert!(unknown.is_empty(), "{name} does not know {unknown:?}");
    }
}

#[test]
fn webhook_server_gets_no_private_settings() {
    let (_, service) =
        workspace_services().into_iter().find(|(name, _)| name == "webhook").unwrap();
    assert!(service.get("env_file").is_none(), "it would contain all of .env");
    let given = names(service["environment"].as_mapping().unwrap());
    for private in ["ULTRAVOX_API_KEY", "TELNYX_API_KEY", "DATABASE_URL"] {
        assert!(!given.contains(private), "{private}");
    }
    assert!(!given.iter().any(|name| name.ends_with("PASSWORD")), "{given:?}");
}

/// The worker gets all of .env, and must not get the passwords of other roles.
#[test]
fn passwords_of_other_roles_are_blanked_for_the_worker() {
    let (_, service) = workspace_services().into_iter().find(|(name, _)| name == "worker").unwrap();
    let example = read(".env.example");
    let names = example.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
    let passwords: Vec<&str> = names.filter(|name| name.ends_with("PASSWORD")).collect();
    assert_eq!(passwords.len(), 4, "{passwords:?}");
    for name in passwords {
        assert_eq!(service["environment"][name].as_str(), Some(""), "{name}");
    }
}

/// The worker gets all of .env, the webhook server each setting by its name.
#[test]
fn webhook_server_gets_all_its_settings() {
    let (_, service) =
        workspace_services().into_iter().find(|(name, _)| name == "webhook").unwrap();
    let given = names(service["environment"].as_mapping().unwrap());
    // The container logs to standard output, faces the internet and has the real time.
    let left_out = ["LOG_DIR", "ALLOW_UNSIGNED_WEBHOOKS", "CLOCK_OFFSET_SECS"];
    let own = program("webhook").get_arguments().filter_map(env_of).collect::<Vec<_>>();
    let example = read(".env.example");
    let of_temporal = example.lines().filter_map(|line| {
        let (name, _) = line.trim_start_matches(['#', ' ']).split_once('=')?;
        name.starts_with("TEMPORAL_")
            .then(|| name.to_owned())
            .filter(|name| !name.ends_with("PORT"))
    });
    for name in own.into_iter().chain(of_temporal) {
        assert!(given.contains(&name) || left_out.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn example_env_contains_all_settings() {
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
fn default_port_of_webhook_server_is_used_by_compose() {
    let command = program("webhook");
    let port = command.get_arguments().find(|arg| arg.get_id() == "port").unwrap();
    let default = port.get_default_values()[0].to_str().unwrap();
    let (_, service) =
        workspace_services().into_iter().find(|(name, _)| name == "webhook").unwrap();
    assert_eq!(service["environment"]["PORT"].as_str(), Some(default));
}

fn program(name: &str) -> clap::Command {
    match name {
        "worker" => worker::config::Config::command(),
        "webhook" => webhook::config::Config::command(),
        "simulator" => simulator::Settings::command(),
        other => panic!("{other} is no program of this workspace"),
    }
}

/// The subcommand of `worker` that a job runs.
fn subcommand(service: &Value) -> clap::Command {
    let name = service["command"][1].as_str().unwrap();
    let command = worker::cli::Cli::command();
    command.find_subcommand(name).unwrap_or_else(|| panic!("worker has no {name}")).clone()
}

/// Whether a service runs to its end instead of serving.
fn is_job(service: &Value) -> bool {
    service["restart"].as_str().is_some_and(|restart| restart.starts_with("on-failure"))
}

fn env_of(arg: &clap::Arg) -> Option<String> {
    arg.get_env().map(|name| name.to_str().unwrap().to_owned())
}

fn names(environment: &serde_norway::Mapping) -> BTreeSet<String> {
    environment.keys().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Name and definition of all services.
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
fn workspace_services() -> Vec<(String, Value)> {
    let built: Vec<_> =
        services().into_iter().filter(|(_, service)| service.get("build").is_some()).collect();
    assert_eq!(built.len(), 4);
    built
}

fn text(value: &Value) -> String {
    serde_norway::to_string(value).unwrap()
}

/// The rest of each line that starts with the prefix.
fn lines_of(file: &str, prefix: &str) -> Vec<String> {
    read(file).lines().filter_map(|line| line.strip_prefix(prefix)).map(str::to_owned).collect()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}
