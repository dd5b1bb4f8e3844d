use devstack::{Temporal, TestServer};

#[tokio::test]
async fn a_schedule_and_a_workflow_are_there_after_a_kill_and_a_restart() {
    let mut temporal = Temporal::throw_away().await.unwrap();
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
async fn a_refused_command_shows_what_the_server_said() {
    let temporal = Temporal::throw_away().await.unwrap();
    let refused =
        temporal.cli("workflow describe --workflow-id nobody".split(' ')).await.unwrap_err();
    assert!(refused.to_string().contains("not found"), "{refused}");
}

#[tokio::test]
async fn the_test_server_starts_and_stops() {
    let mut server = TestServer::start().await.unwrap();
    assert!(tokio::net::TcpStream::connect(server.address()).await.is_ok());
    server.stop().await.unwrap();
    assert!(tokio::net::TcpStream::connect(server.address()).await.is_err());
}
