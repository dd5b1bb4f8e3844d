use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use devstack::{Error, Parts, Postgres, Scratch, Stack, StackOptions, development};

/// Says yes to every request and prints its environment; stands in for a program of ours.
const SERVER: &str = r#"#!/bin/sh
env
for arg in "$@"; do test "$previous" = --port && PORT=$arg; previous=$arg; done
export PORT
exec python3 -c '
import http.server, os
class Yes(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{\"calls\": []}")
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Yes).serve_forever()
'
"#;

const WORKER: &str = r#"#!/bin/sh
env
echo '{"level":"INFO","message":"Worker started"}'
exec sleep 1000
"#;

#[tokio::test]
async fn every_part_is_told_where_the_others_are() {
    let bin_dir = binaries();
    let options = StackOptions {
        bin_dir: Some(bin_dir.path().to_path_buf()),
        clock_offset_secs: -3600,
        speed: 30.0,
        worker_env: BTreeMap::from([("SCHEDULE_INTERVAL".to_owned(), "1".to_owned())]),
        ..StackOptions::default()
    };
    let mut stack = Stack::start(options).await.unwrap();
    let addresses = stack.addresses();

    let worker = stack.worker.as_ref().unwrap().log();
    let expected = [
        ("DATABASE_URL", addresses.database_url.as_str()),
        ("TEMPORAL_ADDRESS", &addresses.temporal_address),
        ("ULTRAVOX_API_URL", &addresses.simulator_url),
        ("SERVICE_URL", &addresses.webhook_url),
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
    assert!(devstack::get(&addresses.webhook_url).await.is_err());
    assert!(tokio::net::TcpStream::connect(&addresses.temporal_address).await.is_err());
}

#[tokio::test]
async fn a_missing_binary_is_named_with_what_to_do() {
    let empty = Scratch::new().unwrap();
    let database_url = Postgres::shared().await.unwrap().fresh_database("none").await.unwrap();
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
async fn a_folder_holds_one_stack_at_a_time() {
    let dir = Scratch::new().unwrap();
    let _lock = devstack::workspace::DirLock::take(dir.path()).unwrap();
    let options = StackOptions { dir: Some(dir.path().to_path_buf()), ..StackOptions::default() };
    assert!(matches!(Stack::start(options).await, Err(Error::Busy(_))));
}

fn binaries() -> Scratch {
    let dir = Scratch::new().unwrap();
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
