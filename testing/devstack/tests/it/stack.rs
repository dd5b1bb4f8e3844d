use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use devstack::{Error, Parts, Postgres, Stack, StackOptions, TempDir, development, workspace};

/// A stand-in for the HTTP servers: prints its environment and returns 200 for every GET.
const SERVER: &str = r#"#!/bin/sh
env
for arg in "$@"; do test "$previous" = --port && PORT=$arg; previous=$arg; done
export PORT
exec python3 -c '
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{\"calls\": []}")
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
'
"#;

const WORKER: &str = r#"#!/bin/sh
env
echo '{"level":"INFO","message":"Worker started"}'
exec sleep 1000
"#;

#[tokio::test]
async fn started_programs_get_the_endpoints_of_the_others() {
    let bin_dir = create_binaries();
    let options = StackOptions {
        bin_dir: Some(bin_dir.path().to_path_buf()),
        clock_offset_secs: -3600,
        speed: 30.0,
        worker_env: BTreeMap::from([("SCHEDULE_INTERVAL".to_owned(), "1".to_owned())]),
        ..StackOptions::default()
    };
    let mut stack = Stack::start(options).await.unwrap();
    let endpoints = stack.endpoints().clone();

    let worker = stack.worker.as_ref().unwrap().log();
    let expected = [
        ("DATABASE_URL", endpoints.database_url.as_str()),
        ("TEMPORAL_ADDRESS", &endpoints.temporal_address),
        ("ULTRAVOX_API_URL", &endpoints.simulator_url),
        ("SERVICE_URL", &endpoints.webhook_url),
        ("WEBHOOK_SECRETS", development::WEBHOOK_SECRET),
        ("CLOCK_OFFSET_SECS", "-3600"),
        ("SCHEDULE_INTERVAL", "1"),
    ];
    for (name, value) in expected {
        let line = format!("{name}={value}");
        assert!(worker.lines().any(|found| found == line), "{line} is not in\n{worker}");
    }
    assert!(stack.simulator.as_ref().unwrap().process.log().contains("SIMULATOR_SPEED=30"));
    assert_eq!(stack.ledger().await.unwrap(), serde_json::json!({"calls": []}));

    let second = stack.start_worker("worker-2", &BTreeMap::new()).await.unwrap();
    assert_ne!(second.pid(), stack.worker.as_ref().unwrap().pid());

    stack.stop().await.unwrap();
    assert!(devstack::get(&endpoints.webhook_url).await.is_err());
    assert!(tokio::net::TcpStream::connect(&endpoints.temporal_address).await.is_err());
}

#[tokio::test]
async fn missing_binary_is_reported_with_a_remedy() {
    let empty = workspace::temp_dir().unwrap();
    let database_url =
        Postgres::shared().await.unwrap().create_unique_database("none").await.unwrap();
    let options = StackOptions {
        bin_dir: Some(empty.path().to_path_buf()),
        database_url: Some(database_url),
        parts: Parts { simulator: false, webhook: false, worker: true },
        ..StackOptions::default()
    };
    let error = Stack::start(options).await.unwrap_err();
    assert!(matches!(error, Error::MissingProgram { .. }));
    assert!(error.to_string().contains("cargo build"), "{error}");
}

#[tokio::test]
async fn folder_of_a_running_stack_is_busy() {
    let dir = workspace::temp_dir().unwrap();
    let _lock = workspace::DirLock::acquire(dir.path()).unwrap();
    let options = StackOptions { dir: Some(dir.path().to_path_buf()), ..StackOptions::default() };
    assert!(matches!(Stack::start(options).await, Err(Error::Busy(_))));
}

fn create_binaries() -> TempDir {
    let dir = workspace::temp_dir().unwrap();
    for (name, script) in [("worker", WORKER), ("webhook", SERVER), ("simulator", SERVER)] {
        let path = dir.path().join(name);
        write_executable(&path, script);
    }
    dir
}

fn write_executable(path: &Path, script: &str) {
    std::fs::write(path, script).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
