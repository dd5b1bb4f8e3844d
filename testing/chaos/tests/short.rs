//! A short run with a fixed seed, as `cargo xtask chaos --calls 50 --seed 7` makes it.

#[tokio::test]
async fn every_promise_is_kept_while_parts_are_killed_and_disturbed() {
    let options = chaos::Options { calls: 50, seed: 7, secs: None };
    let report = chaos::run(&options).await.unwrap();
    println!("{report}");
    assert!(report.holds(), "{report}");
}
