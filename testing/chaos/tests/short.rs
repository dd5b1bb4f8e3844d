//! The same as `cargo xtask chaos --calls 50 --seed 7`.

#[tokio::test]
async fn invariants_hold_under_random_faults() {
    let options = chaos::Options { calls: 50, seed: 7, secs: None };
    let report = chaos::run(&options).await.unwrap();
    println!("{report}");
    assert!(report.holds(), "{report}");
}
