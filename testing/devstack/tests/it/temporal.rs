use devstack::{Temporal, TestServer};

#[tokio::test]
async fn schedule_and_workflow_survive_kill_and_restart() {
    let mut temporal = Temporal::start_temporary().await.unwrap();
    let create = "schedule create --schedule-id nightly --interval 24h --workflow-id night --type Night --task-queue q";
    temporal.cli(create.split(' ')).await.unwrap();
    temporal
        .cli("workflow start --workflow-id one --type One --task-queue q".split(' '))
        .await
        .unwrap();

    temporal.kill9().await.unwrap();
    temporal.restart().await.unwrap();

    assert!(temporal.cli(["schedule", "list"]).await.unwrap().contains("nightly"));
    let found =
        temporal.cli("workflow describe --workflow-id one -o json".split(' ')).await.unwrap();
    assert!(found.contains("WORKFLOW_EXECUTION_STATUS_RUNNING"), "{found}");
}

#[tokio::test]
async fn workflow_of_one_shared_namespace_is_not_in_another() {
    let one = Temporal::create_shared_namespace().await.unwrap();
    let mut other = Temporal::create_shared_namespace().await.unwrap();
    assert_eq!(one.address(), other.address());
    let start = "workflow start --workflow-id one --type One --task-queue q";
    one.cli(start.split(' ')).await.unwrap();
    let describe = "workflow describe --workflow-id one";
    assert!(one.cli(describe.split(' ')).await.is_ok());
    assert!(other.cli(describe.split(' ')).await.is_err());

    assert!(other.kill9().await.is_err());
    other.stop().await.unwrap();
    assert!(one.cli(describe.split(' ')).await.is_ok());
}

#[tokio::test]
async fn failed_command_is_reported_with_the_servers_message() {
    let temporal = Temporal::start_temporary().await.unwrap();
    let error =
        temporal.cli("workflow describe --workflow-id nobody".split(' ')).await.unwrap_err();
    assert!(error.to_string().contains("not found"), "{error}");
}

#[tokio::test]
async fn test_server_accepts_connections_until_stopped() {
    let mut server = TestServer::start().await.unwrap();
    assert!(tokio::net::TcpStream::connect(server.address()).await.is_ok());
    server.stop().await.unwrap();
    assert!(tokio::net::TcpStream::connect(server.address()).await.is_err());
}
